// The phone page: puts the log, the writing corner, the outbox and the live stream together.

import { Composer } from "./composer.js";
import { base, words } from "./element.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { PlaceDialog } from "./place.js";

const at = (id) => document.getElementById(id);
let offlineTimer = 0;
let gone = false;

function state(name) {
  if (gone) return;
  clearTimeout(offlineTimer);
  const link = at("link");
  if (name === "online") {
    link.textContent = words.live;
    link.className = "link up";
    banner("");
    return;
  }
  link.className = "link";
  link.textContent = words.connecting;
  if (name === "gone") {
    gone = true;
    banner(words.gone);
  } else {
    // A blink of the network is not worth a banner.
    offlineTimer = setTimeout(() => banner(words.offline), navigator.onLine ? 1500 : 0);
  }
}

function banner(text) {
  at("banner").hidden = !text;
  at("banner").textContent = text;
}

let noticeTimer = 0;
function note(text) {
  const notice = at("notice");
  notice.textContent = text;
  notice.hidden = !text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (notice.hidden = true), 8000);
}

const outbox = new Outbox({
  show: (message) => log.wait(message),
  taken: (message, line) => log.take(line),
  state,
  note,
});

const log = new Log({
  press: (line, label, token) => {
    const [verb, ...rest] = token.split(":");
    outbox.add({ kind: "choice", verb, ref: rest.join(":"), text: label, reply_to: line.id });
  },
  askPlace: () => places.open(),
  reply: (line) => composer.reply(line),
  retry: (message) => outbox.retry(message),
  remove: (message) => outbox.remove(message),
});

const places = new PlaceDialog((place) => outbox.add({ kind: "place", ...place }));
const composer = new Composer({ send: (body, files) => outbox.add(body, files), note });

let readTimer = 0;
let readUpTo = "";
function markRead() {
  clearTimeout(readTimer);
  readTimer = setTimeout(async () => {
    const up_to = log.newestOfOurs;
    if (document.hidden || !up_to || up_to === readUpTo) return;
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`${base}/read`, { method: "POST", headers, body: JSON.stringify({ up_to }) }).catch(() => null);
    if (response?.ok) readUpTo = up_to;
  }, 800);
}

const live = new Live({
  line: (line) => {
    log.take(line);
    markRead();
  },
  state: (name) => {
    if (name === "online") outbox.poke();
    state(name);
  },
});

at("place").addEventListener("click", () => places.open());
at("older").addEventListener("click", async () => {
  log.stick = false;
  const { scroller } = log;
  const fromBottom = scroller.scrollHeight - scroller.scrollTop;
  await live.before(log.oldest).catch(() => state("offline"));
  scroller.scrollTop = scroller.scrollHeight - fromBottom;
  at("older").hidden = !live.older;
});
for (const button of document.querySelectorAll("[data-say]")) {
  button.addEventListener("click", () => outbox.add({ kind: "text", text: button.dataset.say }));
}
window.addEventListener("offline", () => state("offline"));
window.addEventListener("online", () => outbox.poke());
document.addEventListener("visibilitychange", markRead);

await outbox.open();
await live.start();
at("older").hidden = !live.older;
log.days();
