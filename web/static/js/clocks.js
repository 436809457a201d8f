// Lets every clock on the page run by the office's time: what is left, what is over, and the time itself.

const now = document.querySelector("[data-now]");
// The server's clock is the office's clock; this machine's may be wrong.
const serverMinusLocal = now ? Date.parse(now.dateTime) - Date.now() : 0;
const present = () => Date.now() + serverMinusLocal;
const told = new WeakMap(); // Which moment of a clock was said to be over.
const two = (number) => String(number).padStart(2, "0");
const civil = new Intl.DateTimeFormat("sv-SE", { timeZone: now?.dataset.zone, dateStyle: "short", timeStyle: "medium" });

function countdown(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

function tick(whenOver) {
  for (const clock of document.querySelectorAll("[data-due]")) {
    const left = Date.parse(clock.dataset.due) - present();
    const text = `${left > 0 ? clock.dataset.left : clock.dataset.over}${countdown(left)}`;
    if (clock.textContent !== text) clock.textContent = text;
    if (left <= 0 && told.get(clock) !== clock.dataset.due && !clock.closest(".overdue")) {
      told.set(clock, clock.dataset.due);
      whenOver();
    }
  }
  if (now) now.textContent = civil.format(present()).slice(5);
}

// `whenOver` is called once for every clock that has just run out.
export function runClocks(whenOver) {
  tick(whenOver);
  setInterval(tick, 1000, whenOver);
}
