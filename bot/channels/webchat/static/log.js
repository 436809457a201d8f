// Draws the lines: bubbles, cards with buttons, photos, the messages still waiting. Everything written is text.

import { base, dayKey, dayOf, element, fill, icon, timeOf, words } from "./element.js";

// Only addresses of this very desk become links: what people write never leads anywhere else.
function linked(text) {
  return text.split(/(https?:\/\/[\w.:[\]-]+\/[\w/.~%?=&-]*)/).map((piece) => {
    const own = piece.startsWith(`${location.origin}/`);
    return own ? element("a", { href: piece, target: "_blank", rel: "noopener" }, piece) : piece;
  });
}

export class Log {
  constructor({ press, askPlace, reply, retry, remove }) {
    this.acts = { press, askPlace, reply, retry, remove };
    this.list = document.getElementById("log");
    this.scroller = document.getElementById("scroll");
    this.empty = document.getElementById("empty");
    this.lines = new Map();
    this.pressed = new Map(); // token → sequence of the newest press
    this.waiting = new Map(); // event id → node
    this.stick = true;
    this.scroller.addEventListener("scroll", () => {
      const left = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
      this.stick = left < 80;
    });
    new ResizeObserver(() => this.settle()).observe(this.scroller);
  }

  get oldest() {
    return [...this.lines.keys()].sort()[0];
  }

  get newestOfOurs() {
    return [...this.lines.values()].filter(({ line }) => !line.mine).map(({ line }) => line.id).sort().at(-1);
  }

  // A line from the server: new, amended, or our own waiting message come back.
  take(line) {
    const known = this.lines.get(line.id);
    if (known && known.line.sequence >= line.sequence) return;
    if (line.mine) {
      this.waiting.get(line.event_id)?.remove();
      this.waiting.delete(line.event_id);
      line.choices.forEach(({ token }) => this.pressed.set(token, Math.max(this.pressed.get(token) ?? 0, line.sequence)));
    }
    const node = this.draw(line);
    this.lines.set(line.id, { line, node });
    if (known) {
      node.classList.add("amended");
      known.node.replaceWith(node);
    } else {
      this.insert(node, line.id);
    }
    this.disable(line.mine ? line.choices.map(({ token }) => token) : null, line);
    this.days();
    this.settle();
  }

  insert(node, id) {
    const after = [...this.list.children].find((other) => other.dataset.waiting || (other.dataset.id ?? "") > id);
    this.list.insertBefore(node, after ?? null);
  }

  // Buttons of a card stay used until the card itself is amended after the press.
  disable(tokens, line) {
    const cards = tokens ? [...this.lines.values()].filter(({ line: card }) => !card.mine) : [this.lines.get(line.id)];
    for (const card of cards) {
      const used = card.line.choices.find(({ token }) => (this.pressed.get(token) ?? 0) > card.line.sequence);
      if (used) this.markUsed(card.node, used.token);
    }
  }

  markUsed(node, token) {
    for (const button of node.querySelectorAll("button[data-token]")) {
      button.disabled = true;
      button.setAttribute("aria-pressed", String(button.dataset.token === token));
    }
  }

  draw(line) {
    const at = new Date(line.at);
    const meta = element("p", { class: "meta" }, element("time", { datetime: line.at }, timeOf(at)));
    if (line.mine) meta.append(element("span", { class: "tick", title: words.received }, " ✓"));
    const side = line.mine ? "mine" : "ours";
    const item = element("li", { class: `line ${side}`, "data-id": line.id, "data-day": dayKey(at) });
    const bubble = element("div", { class: "bubble" });
    if (line.mine && line.choices.length) {
      item.classList.add("press");
      bubble.append(element("p", { class: "words" }, words.pressed, element("bdi", {}, line.text)));
    } else if (line.text) {
      bubble.append(element("p", { class: "words", dir: "auto" }, ...(line.mine ? [line.text] : linked(line.text))));
    }
    line.files.forEach((file) => bubble.append(this.file(line, file)));
    if (line.place) bubble.append(this.place(line.place));
    item.append(bubble);
    if (!line.mine) {
      if (line.choices.length || line.asks_place) item.append(this.buttons(line, item));
      meta.append(element("button", { type: "button", class: "reply", onclick: () => this.acts.reply(line) }, words.reply));
    }
    item.append(meta);
    return item;
  }

  buttons(line, item) {
    const row = element("div", { class: "choices" });
    for (const { label, token } of line.choices) {
      const press = () => {
        this.markUsed(item, token);
        this.acts.press(line, label, token);
      };
      row.append(element("button", { type: "button", "data-token": token, onclick: press }, label));
    }
    if (line.asks_place) {
      row.append(element("button", { type: "button", class: "ask-place", onclick: this.acts.askPlace }, icon("pin"), words.placeTitle));
    }
    return row;
  }

  file(line, file) {
    const url = (digest) => `${base}/files/${digest}?in=${encodeURIComponent(line.id)}`;
    const named = file.name || words[file.kind] || words.sealed;
    if (file.kind === "photo") {
      if (!file.shown) return element("p", { class: "chip" }, icon("camera"), words.photoHidden);
      const picture = element("img", { src: url(file.shown), alt: words.photo, loading: "lazy", onload: () => this.settle() });
      return element("a", { href: url(file.shown), target: "_blank", rel: "noopener", class: "photo" }, picture);
    }
    if (file.kind === "voice") return element("audio", { controls: true, preload: "none", src: url(file.digest) });
    if (file.kind === "video") return element("video", { controls: true, preload: "metadata", src: url(file.digest) });
    return element("a", { class: "chip", href: url(file.digest), download: "" }, icon("clip"), element("bdi", {}, named));
  }

  place(place) {
    const figures = place.lat == null ? "" : `${place.lat.toFixed(5)}, ${place.lon.toFixed(5)}`;
    const near = place.accuracy ? fill(words.placeMetres, { metres: Math.round(place.accuracy) }) : "";
    const small = [figures, near].filter(Boolean).join(" · ");
    return element("p", { class: "place" }, icon("pin"), element("bdi", {}, place.text || words.placeMe), element("small", {}, small));
  }

  // A message of ours that is still on the phone only.
  wait(message) {
    const { body, files, failed } = message;
    const bubble = element("div", { class: "bubble" });
    const said = body.kind === "choice" ? words.pressed + body.text : body.text;
    if (said) bubble.append(element("p", { class: "words", dir: "auto" }, said));
    for (const file of files) {
      if (file.kind === "photo") bubble.append(element("img", { class: "photo", src: URL.createObjectURL(file.blob), alt: words.photo }));
      else bubble.append(element("p", { class: "chip" }, icon("clip"), element("bdi", {}, file.name)));
    }
    if (body.kind === "place") bubble.append(this.place({ ...body, lat: body.lat ?? null, text: body.place_text }));
    const meta = element("p", { class: "meta" }, element("time", {}, timeOf(message.at)), ` · ${failed ? words.failed : words.waiting}`);
    const item = element("li", { class: `line mine waiting${failed ? " failed" : ""}`, "data-waiting": message.event_id, "data-day": dayKey(message.at) }, bubble, meta);
    if (failed) {
      const retry = element("button", { type: "button", onclick: () => this.acts.retry(message) }, words.retry);
      const remove = () => {
        item.remove();
        this.acts.remove(message);
      };
      item.append(element("p", { class: "fault", role: "alert" }, failed), element("div", { class: "choices" }, retry, element("button", { type: "button", onclick: remove }, words.remove)));
    }
    const old = this.waiting.get(message.event_id);
    if (old) old.replaceWith(item);
    else this.list.append(item);
    this.waiting.set(message.event_id, item);
    this.stick = true;
    this.days();
    this.settle();
  }

  days() {
    let day = "";
    this.list.querySelectorAll(".day").forEach((node) => node.remove());
    for (const item of [...this.list.children]) {
      if (item.dataset.day === day) continue;
      day = item.dataset.day;
      item.before(element("li", { class: "day", "aria-hidden": "true" }, element("span", {}, dayOf(new Date(`${day}T12:00:00`)))));
    }
    this.empty.hidden = this.list.children.length > 0;
  }

  settle() {
    if (this.stick) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
