// What all pages share: asking the device, and the light in the corner that tells how it fares.

export const $ = (id) => document.getElementById(id);

/** Ask the device; the answer, or an Error whose message is one line fit to be shown. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("edgedigits can't be reached; is it still running?");
  }
  if (answer.status === 401 && location.pathname !== "/login") {
    location.assign("/login?next=" + encodeURIComponent(location.pathname));
    await new Promise(() => {}); // the page is on its way out
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.error || `edgedigits answered ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer;
}

export const askJson = async (path, options) => (await ask(path, options)).json();

export const asJson = (method, value, more = {}) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
  ...more,
});

/** Rounded down: 100 % is said of nothing that is less. */
export const percent = (p) => `${Math.floor(p * 100)} %`;

export const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function say(id, message) {
  if ($(id).textContent !== message) $(id).textContent = message;
}

/** A line of text as an item of a list: what it says, how sure, and in words whether it counts. */
export function lineItem(line) {
  const item = element("li", { class: line.accepted ? "line" : "line doubtful" });
  item.append(
    element("span", { class: "text" }, line.raw),
    element("span", { class: "percent" }, percent(line.confidence)),
    element("span", { class: "verdict" }, line.accepted ? "read" : "doubtful: look for yourself"),
  );
  return item;
}

const WORDS = { starting: "starting", reading: "reading", reconnecting: "camera away", ended: "at its end" };

async function tellHealth() {
  const light = $("status");
  let health;
  try {
    const answer = await fetch("/api/health", { cache: "no-store" });
    if (answer.status === 401) return;
    health = await answer.json();
  } catch {
    light.dataset.state = "bad";
    say("status", "not reached");
    return;
  }
  if (!health.state) return;
  light.dataset.state = health.ok ? "good" : health.state === "ended" ? "" : "bad";
  light.title = health.message || "";
  say("status", WORDS[health.state] || health.state);
}

if ($("status") && location.pathname !== "/login") {
  tellHealth();
  setInterval(() => document.hidden || tellHealth(), 5000);
}
