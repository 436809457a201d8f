// The writing corner: text that survives a reload, chosen photos and files, the message being answered.

import { element, fill, words } from "./element.js";

const FILES_MAX = 9;
const limits = document.body.dataset;
const at = (id) => document.getElementById(id);

export class Composer {
  constructor({ send, note }) {
    this.send = send;
    this.note = note;
    this.files = [];
    this.replyTo = null;
    this.text = at("text");
    this.draftKey = `muster-draft-${location.pathname}`;
    this.text.value = recall(this.draftKey);
    this.text.addEventListener("input", () => this.changed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    at("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    for (const id of ["camera", "file"]) at(id).addEventListener("change", (event) => this.choose(event.target));
    at("replying").querySelector("button").addEventListener("click", () => this.reply(null));
    this.changed();
  }

  // Enter sends on a desk keyboard; on a phone it makes a new line, and a word being composed is never cut off.
  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    this.submit();
  }

  changed() {
    remember(this.draftKey, this.text.value);
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, 140)}px`;
    at("send").disabled = !this.text.value.trim() && !this.files.length;
  }

  choose(input) {
    const bytesMax = Number(limits.fileBytesMax);
    for (const blob of input.files) {
      if (blob.size > bytesMax) this.note(fill(words.tooLarge, { max: Math.floor(bytesMax / 1048576) }));
      else if (this.files.length < FILES_MAX) this.files.push({ blob, name: blob.name, kind: kindOf(blob) });
    }
    input.value = "";
    this.drawTray();
    this.changed();
  }

  drawTray() {
    const tray = at("tray");
    tray.hidden = !this.files.length;
    tray.replaceChildren(...this.files.map((file) => this.drawFile(file)));
  }

  drawFile(file) {
    const shown = file.kind === "photo" ? element("img", { src: URL.createObjectURL(file.blob), alt: file.name }) : element("bdi", {}, file.name);
    const drop = () => {
      this.files = this.files.filter((other) => other !== file);
      this.drawTray();
      this.changed();
    };
    return element("li", {}, shown, element("button", { type: "button", "aria-label": `${words.remove} ${file.name}`, onclick: drop }, "✕"));
  }

  reply(line) {
    this.replyTo = line;
    const row = at("replying");
    row.hidden = !line;
    if (line) {
      row.querySelector("span").textContent = words.replying + line.text.slice(0, 60);
      this.text.focus();
    }
  }

  // What is longer than one message may be goes out in parts, in order.
  submit() {
    const text = this.text.value.trim();
    if (!text && !this.files.length) return;
    const reply_to = this.replyTo?.id ?? "";
    const parts = split(text, Number(limits.textMax));
    const files = this.files;
    this.files = [];
    this.text.value = "";
    this.drawTray();
    this.reply(null);
    this.changed();
    parts.forEach((part, index) => {
      const here = index ? [] : files;
      this.send({ kind: here.length ? "media" : "text", text: part, reply_to }, here);
    });
  }
}

function split(text, max) {
  const letters = Array.from(text);
  const parts = [];
  for (let start = 0; start < letters.length; start += max) parts.push(letters.slice(start, start + max).join(""));
  return parts.length ? parts : [""];
}

function kindOf(blob) {
  const kind = blob.type.split("/")[0];
  return { image: "photo", audio: "voice", video: "video" }[kind] ?? "file";
}

function recall(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function remember(key, text) {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // Private browsing: the text lives as long as the page.
  }
}
