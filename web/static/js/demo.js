// The demonstration page: one stream wakes the four framed phones and the board; buttons make things happen.

import { runClocks } from "./clocks.js";
import { morphChildren } from "./morph.js";

const said = document.getElementById("demo-said");
const board = document.getElementById("board");
const phones = [...document.querySelectorAll(".demo-phones iframe")];
const clock = document.getElementById("clock");

let saidTimer = 0;
function say(text) {
  said.textContent = text;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => (said.textContent = ""), 6000);
}

let drawing = false;
let wanted = false;
async function drawBoard() {
  if (drawing) {
    wanted = true;
    return;
  }
  drawing = true;
  do {
    wanted = false;
    const response = await fetch("/fragments/board").catch(() => null);
    if (response?.ok) {
      const fresh = document.createElement("template");
      fresh.innerHTML = await response.text();
      morphChildren(board, fresh.content);
    }
  } while (wanted);
  drawing = false;
}

function look() {
  phones.forEach((phone) => phone.contentWindow?.postMessage("look", location.origin));
  drawBoard();
}

// A hidden page gives its connection back; it looks at everything once when it is seen again.
let source = null;
function follow() {
  source?.close();
  source = null;
  if (document.hidden) return;
  source = new EventSource("/demo/stream");
  source.onopen = look;
  source.addEventListener("look", look);
}
document.addEventListener("visibilitychange", follow);

for (const button of document.querySelectorAll("[data-press]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const response = await fetch(button.dataset.press, { method: "POST" }).catch(() => null);
    const told = response?.status === 409 ? button.dataset.runs : button.dataset.fault;
    say(response?.ok ? button.dataset.done : told);
    setTimeout(() => (button.disabled = false), 1200);
  });
}

clock.addEventListener("click", async () => {
  const fast = clock.getAttribute("aria-checked") !== "true";
  const response = await fetch(`/demo/clock?fast=${fast ? 1 : 0}`, { method: "POST" }).catch(() => null);
  if (!response?.ok) return;
  const isFast = (await response.json()).pace > 1;
  clock.setAttribute("aria-checked", String(isFast));
  for (const note of document.querySelectorAll("[data-when]")) note.hidden = (note.dataset.when === "fast") !== isFast;
});

runClocks(drawBoard);
drawBoard();
follow();
