// The live view: one frame is asked for after another, and none while nobody looks.

import { show } from "./boxes.js";
import { $, ask, askJson, element, lineItem, percent, plural, say } from "./common.js";

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

let after = 0;
let paused = false;
let asking = null;

async function watch() {
  for (;;) {
    if (paused || document.hidden) {
      await pause(0.2);
      continue;
    }
    asking = new AbortController();
    try {
      const answer = await ask(`/api/view?after=${after}`, { signal: asking.signal });
      if (answer.status === 200) await present(await answer.arrayBuffer());
      say("trouble", "");
    } catch (error) {
      if (error.name === "AbortError") continue;
      after = 0; // a device that was started again counts anew
      say("trouble", error.message);
      await pause(error.status === 429 ? 5 : 1.5);
    }
  }
}

async function present(data) {
  const length = new DataView(data).getUint32(0);
  const page = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
  show($("view"), picture, page);
  picture.close();
  after = page.number;
  say("source", page.source);
  tell(page);
}

const MOST_LINES = 8;

function tell(page) {
  $("lines").replaceChildren(...page.lines.slice(0, MOST_LINES).map(lineItem));
  const more = page.lines.length - MOST_LINES;
  $("nothing").hidden = page.lines.length > 0 && more <= 0;
  $("nothing").textContent = more > 0 ? `and ${plural(more, "more line")}` : "Nothing to read in the picture.";
  tellStages({ ...page.timings, read: page.timings.read ?? page.elapsed_ms });
}

// Averages over about a second, told twice a second: single numbers would only flicker.
const averages = new Map();
let told = 0;

function tellStages(timings) {
  for (const [stage, ms] of Object.entries(timings)) {
    averages.set(stage, averages.has(stage) ? averages.get(stage) + 0.2 * (ms - averages.get(stage)) : ms);
  }
  if (performance.now() - told < 500) return;
  told = performance.now();
  const shown = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  $("stages").replaceChildren(
    ...[...averages].map(([stage, ms]) => element("div", {}, element("dt", {}, stage), element("dd", {}, shown(ms)))),
  );
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (paused && asking) asking.abort();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && asking) asking.abort();
  listen();
});

// --- events ---

let journal = "";
let newest = 0;
let oldest = Infinity;
let stream = null;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function row(event) {
  const when = new Date(event.time);
  const today = when.toDateString() === new Date().toDateString();
  const time = element("time", { datetime: event.time }, (today ? "" : day.format(when) + ", ") + clock.format(when));
  if (event.event !== "reading") {
    const cell = element("td", { colspan: "2", class: "quiet" }, `${event.count} events had to be dropped`);
    return element("tr", {}, element("td", {}, time), cell);
  }
  const verdict = element("span", { class: event.accepted ? "tag" : "tag doubtful" }, `${event.accepted ? "" : "doubtful "}${percent(event.confidence)}`);
  return element(
    "tr", {},
    element("td", {}, time),
    element("td", { class: "text" }, event.text || "–"),
    element("td", {}, verdict),
  );
}

/** Take note of an event's number; false where it was had already. */
function count(event) {
  const its = event.id.split("-")[0];
  if (its !== journal) {
    // A device that was started again without a file for its events counts them anew.
    journal = its;
    newest = 0;
    oldest = Infinity;
  }
  oldest = Math.min(oldest, event.sequence);
  if (event.sequence <= newest) return false;
  newest = event.sequence;
  return true;
}

function arrived(event) {
  if (!count(event)) return;
  const made = row(event);
  made.className = "new";
  $("events").prepend(made);
  while ($("events").rows.length > 200) $("events").lastElementChild.remove();
  $("no-events").hidden = true;
  if (event.event === "reading") {
    const lines = (event.text || "").split("\n").map((line) => [...line].join(" "));
    say("announce", `${event.accepted ? "Read" : "Doubtful"}: ${lines.join(", ")}`);
  }
}

async function loadOlder() {
  const limit = 30;
  const before = oldest < Infinity ? `&before=${oldest}` : "";
  try {
    const { events } = await askJson(`/api/events?limit=${limit}${before}`);
    for (const event of events) {
      $("events").append(row(event));
      count(event);
    }
    $("older").hidden = events.length < limit || oldest <= 1;
    $("no-events").hidden = $("events").rows.length > 0;
  } catch (error) {
    say("trouble", error.message);
  }
}

/** Listen while the page is looked at; a browser has only a few connections for all its pages. */
function listen() {
  if (document.hidden) {
    if (stream) stream.close();
    stream = null;
  } else if (!stream) {
    stream = new EventSource("/api/events/stream");
    let early = [];
    let resumes = false;
    const take = (message) => {
      resumes = true;
      const event = JSON.parse(message.data);
      if (early) early.push(event);
      else arrived(event);
    };
    stream.addEventListener("reading", take);
    stream.addEventListener("dropped", take);
    // From when it is open on the stream misses nothing; what came before is asked for, and shown first.
    stream.addEventListener("open", async () => {
      // Opened again, it goes on behind the last event that came, however many there were meanwhile.
      if (resumes) return;
      early = early || [];
      const { events } = await askJson("/api/events?limit=30").catch(() => ({ events: [] }));
      const late = early || [];
      early = null;
      [...events.reverse(), ...late].forEach(arrived);
    });
  }
}

$("older").addEventListener("click", loadOlder);
loadOlder().then(listen);
watch();
