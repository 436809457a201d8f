// 一张图: townships as schematic areas, open incidents as pins that come in live; every pin and area by keyboard.

const element = document.getElementById("map");
const panel = document.getElementById("panel");
const said = document.getElementById("map-said");
const pins = new Map();
const areas = new Map();

const map = L.map(element, { attributionControl: false, zoomControl: false, zoomSnap: 0.25, minZoom: 8, maxZoom: 17 });
const words = element.dataset;
L.control.zoom({ position: "topleft", zoomInTitle: words.zoomIn, zoomOutTitle: words.zoomOut }).addTo(map);
L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
if (words.tiles) L.tileLayer(words.tiles, { maxZoom: 17 }).addTo(map);

// The panel covers the right side, or the bottom on a phone: what matters must not lie under it.
function room() {
  const box = panel.getBoundingClientRect();
  const beside = box.width < element.clientWidth * 0.7;
  return beside
    ? { paddingTopLeft: [30, 30], paddingBottomRight: [box.width + 40, 40] }
    : { paddingTopLeft: [12, 12], paddingBottomRight: [12, box.height + 40] };
}

// A card opens where the panel does not cover it, and no wider than the screen.
function popup() {
  const { paddingTopLeft, paddingBottomRight } = room();
  return {
    maxWidth: Math.min(300, element.clientWidth - 60),
    autoPanPaddingTopLeft: paddingTopLeft,
    autoPanPaddingBottomRight: paddingBottomRight,
  };
}

// All of the ground, in the room that the panel leaves.
let whole = null;
function fit() {
  if (whole) map.fitBounds(whole, { ...room(), animate: false });
}

function nameArea(feature, layer) {
  const { name, short, label_lat: lat, label_lon: lon } = feature.properties;
  areas.set(name, layer);
  L.tooltip({ permanent: true, direction: "center", className: "area-name", interactive: false })
    .setLatLng([lat, lon])
    .setContent(short ?? name)
    .addTo(map);
}

async function drawAreas() {
  const response = await fetch(words.areas);
  const ground = L.geoJSON(await response.json(), {
    filter: (feature) => feature.properties.kind === "township",
    style: { className: "area", weight: 1.2 },
    onEachFeature: nameArea,
  }).addTo(map);
  whole = ground.getBounds();
  fit();
}

function pinIcon(incident) {
  const aside = incident.nth * 34; // Those at one centre stand beside each other.
  const face = document.createElement("span");
  face.className = `pin severity-${incident.severity}${incident.holder ? "" : " unsigned"}${incident.near ? " near" : ""}`;
  const rank = face.appendChild(document.createElement("span"));
  rank.textContent = incident.rank;
  return L.divIcon({ className: "pin-holder", html: face, iconSize: [30, 30], iconAnchor: [15 - aside, 36], popupAnchor: [aside, -34] });
}

function drawIncident(incident, isFirst) {
  const known = pins.get(incident.number);
  const label = `${incident.severity_word} ${incident.title} ${incident.number} ${incident.state}${incident.near ? ` ${words.near}` : ""}`;
  const face = incident.card + incident.severity + incident.nth;
  if (known) {
    known.setLatLng([incident.lat, incident.lon]);
    if (known.face !== face) {
      known.setIcon(pinIcon(incident));
      known.setPopupContent(incident.card);
    }
  } else {
    const pin = L.marker([incident.lat, incident.lon], { icon: pinIcon(incident), keyboard: true, riseOnHover: true });
    pin.bindPopup(incident.card, { ...popup(), minWidth: 200, closeButton: true });
    pins.set(incident.number, pin.addTo(map));
    if (!isFirst) said.textContent = `${words.fresh}${label}`;
  }
  const pin = pins.get(incident.number);
  pin.face = face;
  pin.getElement()?.setAttribute("aria-label", label);
  pin.getElement()?.setAttribute("title", label);
}

function drawUnit(unit) {
  const layer = areas.get(unit.name);
  const path = layer?.getElement();
  if (!path) return;
  path.classList.toggle("area-alarm", unit.state === "alarm");
  path.classList.toggle("area-silent", unit.state === "silent");
  if (layer.getPopup()) layer.setPopupContent(unit.card);
  else layer.bindPopup(unit.card, popup());
}

function show(number) {
  const pin = pins.get(number);
  if (!pin) return;
  map.setView(pin.getLatLng(), Math.max(map.getZoom(), 12.5), { animate: false });
  pin.openPopup();
}

async function draw(isFirst) {
  const response = await fetch(words.source, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!response?.ok) return;
  const found = await response.json();
  const still = new Set(found.incidents.map((one) => one.number));
  for (const [number, pin] of pins) {
    if (still.has(number)) continue;
    pin.remove();
    pins.delete(number);
  }
  found.incidents.forEach((one) => drawIncident(one, isFirst));
  found.units.forEach(drawUnit);
  if (panel.dataset.html !== found.panel) {
    const focused = document.activeElement?.closest("[data-key]")?.dataset.key;
    const top = panel.scrollTop;
    panel.dataset.html = found.panel;
    panel.innerHTML = found.panel;
    panel.scrollTop = top;
    if (focused) panel.querySelector(`[data-key="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
  }
  if (isFirst && location.hash.length > 1) show(decodeURIComponent(location.hash.slice(1)));
}

panel.addEventListener("click", (event) => {
  if (event.target.closest("[data-fold]")) {
    panel.classList.toggle("folded");
    fit();
  }
  const button = event.target.closest("[data-show]");
  if (button) show(button.dataset.show);
});

await drawAreas();
await draw(true);
if (location.hash.length <= 1) fit(); // The panel is filled now, and as high as it will be.
document.addEventListener("desk:news", () => draw(false));
