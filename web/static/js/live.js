// Keeps every page true without reloading: one stream of news, the parts that change, the clocks that run.

import { runClocks } from "./clocks.js";
import { morphChildren } from "./morph.js";

const REFRESH_GAP_MS = 500;
const REFRESH_EVERY_MS = 30_000;
const parts = [...document.querySelectorAll("[data-fragment]")];
const link = document.querySelector("[data-link-state]");

function showLink(state) {
  if (!link) return;
  link.classList.toggle("up", state === "up");
  link.classList.toggle("down", state === "down");
  link.textContent = link.dataset[state];
}

function goToSignIn() {
  const back = encodeURIComponent(location.pathname + location.search);
  location.assign(`/sign-in?next=${back}`);
}

async function refreshPart(part) {
  const response = await fetch(part.dataset.fragment, { headers: { Accept: "text/html" } });
  if (response.status === 401) return goToSignIn();
  if (!response.ok) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = await response.text();
  morphChildren(part, fresh.content);
}

let refreshing = false;
let wanted = false;
let refreshedAt = 0;
async function refresh() {
  wanted = true;
  if (refreshing) return;
  refreshing = true;
  while (wanted) {
    const rest = refreshedAt + REFRESH_GAP_MS - Date.now();
    if (rest > 0) await new Promise((done) => setTimeout(done, rest));
    wanted = false;
    refreshedAt = Date.now();
    await Promise.all(parts.map((part) => refreshPart(part).catch(() => null)));
    document.dispatchEvent(new CustomEvent("desk:news"));
  }
  refreshing = false;
}

// A hidden page gives its connection back; it looks at everything once when it is seen again.
let source = null;
let heardFrom = "";
function follow() {
  source?.close();
  source = null;
  if (document.hidden) return;
  showLink("wait");
  source = new EventSource(heardFrom ? `/live?after=${heardFrom}` : "/live");
  source.addEventListener("hello", (event) => {
    heardFrom = event.lastEventId;
    showLink("up");
    refresh();
  });
  source.addEventListener("line", (event) => {
    heardFrom = event.lastEventId;
    refresh();
  });
  source.addEventListener("signed_out", goToSignIn);
  source.onerror = () => {
    showLink("down");
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
}

for (const form of document.querySelectorAll("form[data-nonce]")) {
  const nonce = form.querySelector("[name=nonce]");
  if (nonce) nonce.value = `${nonce.value}-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
}
document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button[type=submit]")) setTimeout(() => (button.disabled = true));
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form button[disabled]")) button.disabled = false;
});

// On a phone the row of names is longer than the screen: the page one is on is brought into view.
const current = document.querySelector(".topnav [aria-current]");
if (current) current.closest("ul").scrollLeft = current.offsetLeft - 100;

// A month is longer than a screen: the roster opens at today.
const today = document.querySelector(".roster [aria-current=date]");
const month = today?.closest(".table-scroll");
if (month) {
  month.scrollTop = today.offsetTop - (month.clientHeight - today.offsetHeight) / 2;
  today.scrollIntoView({ block: "nearest" });
}

document.addEventListener("visibilitychange", follow);
if (parts.length || document.querySelector("[data-live]")) setInterval(refresh, REFRESH_EVERY_MS);
runClocks(refresh);
follow();
