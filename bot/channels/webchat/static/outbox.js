// Sends what the person wrote, in order, once: a message leaves the drawer only when the server has it on disk.

import { base, newEventId, words } from "./element.js";
import { openDrawer } from "./drawer.js";

const UPLOAD_TRIES = 3;
const WAITS = [1, 2, 4, 8, 15, 30];

export class Outbox {
  // `show(message)` draws a waiting message, `taken(message, line)` replaces it, `state(name)` is online, offline or gone.
  constructor({ show, taken, state, note }) {
    this.show = show;
    this.taken = taken;
    this.state = state;
    this.note = note;
    this.messages = [];
    this.failures = 0;
    this.sending = false;
    this.timer = 0;
  }

  async open() {
    this.drawer = await openDrawer();
    const kept = await this.drawer.all();
    kept.sort((one, other) => one.at - other.at);
    this.messages.unshift(...kept.filter((message) => !this.messages.some((mine) => mine.event_id === message.event_id)));
    this.messages.forEach((message) => this.show(message));
    this.pump();
  }

  async add(body, files = []) {
    const event_id = newEventId();
    const last = this.messages.at(-1)?.at ?? 0;
    const message = { event_id, at: Math.max(Date.now(), last + 1), body: { ...body, event_id }, files, failed: "" };
    this.messages.push(message);
    this.show(message);
    await this.drawer.put(message);
    this.pump();
  }

  async retry(message) {
    message.failed = "";
    this.show(message);
    await this.drawer.put(message);
    this.pump();
  }

  async remove(message) {
    this.messages = this.messages.filter((other) => other !== message);
    await this.drawer.remove(message.event_id);
  }

  poke() {
    clearTimeout(this.timer);
    this.failures = 0;
    this.pump();
  }

  async pump() {
    if (this.sending || !this.drawer) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      for (let message; (message = this.messages.find((waiting) => !waiting.failed)); ) {
        const line = await this.deliver(message);
        this.failures = 0;
        this.state("online");
        if (line) {
          await this.remove(message);
          this.taken(message, line);
        }
      }
    } catch (fault) {
      if (fault !== GONE) this.later(fault);
    } finally {
      this.sending = false;
    }
  }

  later(fault) {
    if (!(fault instanceof Later)) this.state("offline");
    const wait = fault.seconds ?? WAITS[Math.min(this.failures++, WAITS.length - 1)];
    this.timer = setTimeout(() => this.pump(), wait * 1000);
  }

  async deliver(message) {
    for (const file of message.files) {
      if (file.digest) continue;
      const form = new FormData();
      form.append("kind", file.kind);
      form.append("file", file.blob, file.name);
      const kept = await this.post(message, "files", form);
      if (!kept) {
        if (!message.body.text) return null;
        await this.setAside(message);
        break;
      }
      file.digest = kept.digest;
      if (kept.note) this.note(kept.note);
    }
    const files = message.files.map(({ digest }) => ({ digest }));
    const answer = await this.post(message, "messages", JSON.stringify({ ...message.body, files }));
    return answer?.message;
  }

  // The words go without the files that were not taken; these stay behind as a message of their own, to be tried again.
  async setAside(message) {
    const left = message.files.filter((file) => !file.digest);
    const event_id = newEventId();
    const body = { ...message.body, text: "", event_id };
    const own = { event_id, at: message.at + 0.5, body, files: left, failed: message.failed };
    message.files = message.files.filter((file) => file.digest);
    message.failed = "";
    this.messages.push(own);
    await this.drawer.put(own);
    await this.drawer.put(message);
    this.show(message);
    this.show(own);
  }

  // The answer's JSON; null when it was refused for good (the message then shows why); throws to try again later.
  async post(message, path, body) {
    const headers = typeof body === "string" ? { "Content-Type": "application/json" } : {};
    const response = await fetch(`${base}/${path}`, { method: "POST", headers, body, credentials: "omit" });
    if (response.ok) return response.json();
    if (response.status === 404) {
      this.state("gone");
      throw GONE;
    }
    if (response.status === 409) message.files.forEach((file) => delete file.digest);
    const tries = (message.tries = (message.tries ?? 0) + 1);
    const told = await response.json().catch(() => ({}));
    const isUpload = path === "files";
    // A file the desk cannot keep must not hold up what is said after it.
    const passes = isUpload && (response.status === 507 || told.code === "too_many_uploads" || tries >= UPLOAD_TRIES);
    if (response.status >= 500 && !passes) throw new Error(`status ${response.status}`);
    if ((response.status === 429 && !passes) || response.status === 408 || (response.status === 409 && tries < 5)) {
      throw new Later(Number(response.headers.get("Retry-After")) || 1);
    }
    message.failed = told.reason ?? words.failed;
    await this.drawer.put(message);
    this.show(message);
    return null;
  }
}

const GONE = Symbol("gone");

class Later extends Error {
  constructor(seconds) {
    super("later");
    this.seconds = seconds;
  }
}
