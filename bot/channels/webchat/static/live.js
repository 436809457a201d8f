// Follows the phone's screen: a stream that resumes, or, inside the demonstration page, a poke from the parent.

import { base } from "./element.js";

const WAITS = [1, 2, 4, 8, 15];

export class Live {
  constructor({ line, state }) {
    this.line = line;
    this.state = state;
    this.sequence = 0;
    this.failures = 0;
    // A browser opens six connections to one host: four framed phones share their parent's stream instead.
    this.framed = window.parent !== window;
  }

  async start() {
    try {
      const page = await this.get("history");
      page.messages.forEach((line) => this.line(line));
      this.sequence = Math.max(this.sequence, page.sequence);
      this.older = page.more;
    } catch {
      this.again(() => this.start());
      return;
    }
    this.state("online");
    this.follow();
  }

  follow() {
    if (this.framed) {
      window.addEventListener("message", (event) => {
        if (event.origin === location.origin && event.data === "look") this.look();
      });
      setInterval(() => this.look(), 15000);
      window.parent.postMessage("listening", location.origin);
      this.look();
      return;
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.connect()));
    window.addEventListener("online", () => this.connect());
    this.connect();
  }

  connect() {
    if (this.source || document.hidden) return;
    clearTimeout(this.timer);
    const source = (this.source = new EventSource(`${base}/stream?after=${this.sequence}`));
    source.onopen = () => {
      this.failures = 0;
      this.state("online");
    };
    source.addEventListener("line", (event) => this.take(JSON.parse(event.data)));
    source.addEventListener("gone", () => {
      this.close();
      this.state("gone");
    });
    source.onerror = () => {
      this.close();
      this.state("offline");
      this.again(() => this.look().then(() => this.connect()));
    };
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
  }

  take(line) {
    this.sequence = Math.max(this.sequence, line.sequence);
    this.line(line);
  }

  // One look at what changed; a second look asked for meanwhile follows the first.
  async look() {
    if (this.looking) {
      this.wanted = true;
      return;
    }
    this.looking = true;
    try {
      do {
        this.wanted = false;
        const page = await this.get(`history?after=${this.sequence}`);
        page.messages.forEach((line) => this.take(line));
        this.state("online");
        this.failures = 0;
        if (page.messages.length >= 200) this.wanted = true;
      } while (this.wanted);
    } catch {
      this.again(() => this.look());
    } finally {
      this.looking = false;
    }
  }

  async before(id) {
    const page = await this.get(`history?before=${encodeURIComponent(id)}`);
    page.messages.forEach((line) => this.line(line));
    this.older = page.more;
  }

  async get(path) {
    const response = await fetch(`${base}/${path}`, { credentials: "omit" });
    if (response.status === 404) {
      this.gone = true;
      this.state("gone");
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  }

  again(work) {
    if (this.gone) return;
    this.state("offline");
    clearTimeout(this.timer);
    this.timer = setTimeout(work, WAITS[Math.min(this.failures++, WAITS.length - 1)] * 1000);
  }
}
