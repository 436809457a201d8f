// Asks where: the phone's own position, a tap on the schematic map, or a town from the list.

import { element, fill, icon, words } from "./element.js";

const GEO = "/static/geo/zhongshan.geojson";
const LEAFLET = "/static/vendor/leaflet/leaflet";
const TOWN_METRES = 5000;

const at = (id) => document.getElementById(id);

export class PlaceDialog {
  constructor(send) {
    this.dialog = at("place-dialog");
    this.chosen = null;
    at("place-here").addEventListener("click", () => this.locate());
    at("place-cancel").addEventListener("click", () => this.dialog.close());
    at("place-list").addEventListener("change", (event) => this.pick(event.target.value));
    at("place-send").addEventListener("click", () => {
      this.dialog.close();
      if (this.chosen) send(this.chosen);
    });
  }

  async open() {
    this.choose(null);
    at("place-note").textContent = window.isSecureContext ? "" : words.placeInsecure;
    at("place-here").hidden = !window.isSecureContext || !navigator.geolocation;
    at("place-list").value = "";
    this.dialog.showModal();
    await this.load();
    this.map?.invalidateSize();
  }

  choose(place) {
    this.chosen = place;
    at("place-send").disabled = !place;
    const near = place?.accuracy ? fill(words.placeMetres, { metres: Math.round(place.accuracy) }) : "";
    const area = place?.accuracy >= TOWN_METRES ? words.placeArea : near && ` · ${near}`;
    at("place-chosen").replaceChildren(...(place ? [icon("pin"), `${place.place_text}${area}`] : []));
    if (place && place.accuracy < TOWN_METRES) this.mark(place.lat, place.lon);
    else this.marker?.remove();
  }

  locate() {
    at("place-note").textContent = words.placeLocating;
    const found = ({ coords }) => {
      at("place-note").textContent = "";
      this.choose({ lat: coords.latitude, lon: coords.longitude, accuracy: coords.accuracy, place_text: words.placeMe });
    };
    const lost = () => (at("place-note").textContent = words.placeDenied);
    navigator.geolocation.getCurrentPosition(found, lost, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
  }

  pick(name) {
    const town = this.towns?.find((one) => one.name === name);
    this.choose(town ? { lat: town.lat, lon: town.lon, accuracy: TOWN_METRES, place_text: name } : null);
  }

  // The list works without the map, and the phone's position without either.
  async load() {
    if (this.towns) return;
    try {
      const response = await fetch(GEO);
      if (!response.ok) return;
      const areas = await response.json();
      await addLeaflet();
      this.draw(areas);
    } catch {
      at("place-map").hidden = true;
    }
  }

  draw(areas) {
    const map = (this.map = L.map("place-map", { attributionControl: false, zoomSnap: 0.25 }));
    const style = { color: "#5b7f9d", weight: 1, fillColor: "#d7e6f2", fillOpacity: 0.9 };
    const layer = L.geoJSON(areas, { style, filter: (area) => area.geometry?.type !== "Point" }).addTo(map);
    this.towns = [];
    layer.eachLayer((shape) => {
      const { name, lat, lon } = shape.feature.properties;
      const centre = shape.getBounds().getCenter();
      this.towns.push({ name, lat: lat ?? centre.lat, lon: lon ?? centre.lng });
      shape.bindTooltip(element("span", {}, name), { permanent: true, direction: "center", className: "town" });
      shape.on("click", (event) => this.tap(event.latlng, name));
    });
    map.on("click", (event) => this.tap(event.latlng, words.placePoint));
    map.fitBounds(layer.getBounds(), { padding: [4, 4] });
    at("place-list").append(...this.towns.map(({ name }) => element("option", { value: name }, name)));
  }

  tap(point, name) {
    if (point.originalEvent) L.DomEvent.stop(point.originalEvent);
    at("place-list").value = "";
    this.choose({ lat: point.lat, lon: point.lng, accuracy: 300, place_text: name });
  }

  mark(lat, lon) {
    if (!this.map) return;
    this.marker?.remove();
    this.marker = L.circleMarker([lat, lon], { radius: 9, color: "#fff", weight: 3, fillColor: "#c62828", fillOpacity: 1 }).addTo(this.map);
  }
}

function addLeaflet() {
  if (window.L) return Promise.resolve();
  document.head.append(element("link", { rel: "stylesheet", href: `${LEAFLET}.css` }));
  return new Promise((resolve, reject) => {
    document.head.append(element("script", { src: `${LEAFLET}.js`, onload: resolve, onerror: reject }));
  });
}
