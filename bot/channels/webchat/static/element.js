// Small tools for the page: elements, words, moments.

export const words = document.getElementById("words").dataset;
export const base = location.pathname.replace(/\/+$/, "");
const { timezone, language } = document.body.dataset;

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// Drawn icons: an old phone or a duty-room browser may lack the emoji.
export const icon = (name) => element("span", { class: `icon ${name}`, "aria-hidden": "true" });

const clock = new Intl.DateTimeFormat(language, { timeZone: timezone, hour: "2-digit", minute: "2-digit", hour12: false });
const date = new Intl.DateTimeFormat(language, { timeZone: timezone, month: "long", day: "numeric", weekday: "long" });
const key = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit" });

export const timeOf = (moment) => clock.format(moment);
export const dayKey = (moment) => key.format(moment);

export function dayOf(moment) {
  const day = dayKey(moment);
  const now = Date.now();
  if (day === dayKey(now)) return words.today;
  if (day === dayKey(now - 86400000)) return words.yesterday;
  return date.format(moment);
}

// randomUUID exists on https and localhost only; a duty room's plain-http address needs the long way.
export function newEventId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
