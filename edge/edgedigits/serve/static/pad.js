// The kiosk pad: strokes are kept as vectors, sent as vectors, and read on the device.

import { $, asJson, askJson, element, percent, plural, say } from "./common.js";

const canvas = $("pad");
const context = canvas.getContext("2d");
const MOST_STROKES = 400;

let strokes = []; // each a list of [x, y, pressure or null, milliseconds], in CSS pixels of the pad
let current = null;
let pointer = null;
let page = null;
let pen = null; // of the keyboard: { x, y, down }
let serial = 0;
let timer = 0;
const started = performance.now();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw() {
  const across = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * across) || canvas.height !== Math.round(height * across)) {
    canvas.width = Math.round(width * across);
    canvas.height = Math.round(height * across);
  }
  context.setTransform(across, 0, 0, across, 0, 0);
  context.clearRect(0, 0, width, height);
  if (page) drawBoxes();
  context.setLineDash([]);
  context.strokeStyle = context.fillStyle = colour("--ink");
  context.lineCap = context.lineJoin = "round";
  for (const stroke of current ? [...strokes, current] : strokes) drawStroke(stroke);
  if (pen) {
    context.strokeStyle = colour("--doubt");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(pen.x, pen.y, pen.down ? 6 : 10, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawStroke(stroke) {
  const width = (p) => 7 * (p == null ? 1 : 0.5 + p);
  if (stroke.length === 1) {
    context.beginPath();
    context.arc(stroke[0][0], stroke[0][1], width(stroke[0][2]) / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  for (let k = 1; k < stroke.length; k++) {
    context.lineWidth = width(stroke[k][2]);
    context.beginPath();
    context.moveTo(stroke[k - 1][0], stroke[k - 1][1]);
    context.lineTo(stroke[k][0], stroke[k][1]);
    context.stroke();
  }
}

function drawBoxes() {
  context.font = "500 13px system-ui, sans-serif";
  context.textAlign = "center";
  for (const line of page.lines) {
    for (const digit of line.digits) {
      const [x, y, w, h] = digit.box;
      const rejected = digit.label === "?";
      context.strokeStyle = context.fillStyle = colour(rejected ? "--doubt" : "--sure");
      context.lineWidth = 1.5;
      context.setLineDash(rejected ? [5, 4] : []);
      context.strokeRect(x - 6, y - 6, w + 12, h + 12);
      context.fillText(rejected ? "?" : `${digit.label} · ${percent(digit.confidence)}`, x + w / 2, y + h + 22);
    }
  }
}

function changed() {
  serial += 1;
  $("undo").disabled = $("clear").disabled = strokes.length === 0;
  $("hint").hidden = strokes.length > 0 || current !== null || pen !== null;
  draw();
  clearTimeout(timer);
  // Read once the hand pauses, not in the middle of a 4.
  timer = setTimeout(read, strokes.length ? 220 : 0);
}

async function read() {
  const mine = serial;
  if (!strokes.length) {
    page = null;
    tell();
    return;
  }
  if (current) return; // it is read when it is finished
  try {
    const size = [Math.round(canvas.clientWidth), Math.round(canvas.clientHeight)];
    const answer = await askJson("/api/strokes", asJson("POST", { size, strokes }));
    if (mine !== serial) return; // more was written meanwhile
    page = answer;
    say("trouble", "");
    tell();
  } catch (error) {
    if (error.status === 429 && mine === serial) timer = setTimeout(read, 1200);
    else say("trouble", error.message);
  }
}

function tell() {
  const digits = $("digits");
  digits.replaceChildren();
  if (!page || !page.lines.length) {
    say("side", strokes.length ? "No digit is found." : "Write below.");
    say("announce", strokes.length ? "No digit is found" : "");
    draw();
    return;
  }
  page.lines.forEach((line, k) => {
    if (k) digits.append("\n");
    for (const character of line.raw) {
      digits.append(character === "?" ? element("span", { class: "doubt" }, "?") : character);
    }
  });
  const sure = Math.min(...page.lines.map((line) => line.confidence));
  const doubtful = page.lines.some((line) => !line.accepted);
  const count = page.lines.reduce((n, line) => n + line.digits.length, 0);
  say("side", `${doubtful ? "doubtful, " : ""}${percent(sure)} · ${plural(count, "digit")} · ${page.elapsed_ms.toFixed(1)} ms`);
  const spoken = page.lines.map((line) => [...line.raw].join(" ")).join(", ");
  say("announce", `${doubtful ? "Doubtful: " : ""}${spoken}`);
  draw();
}

function point(event) {
  const place = canvas.getBoundingClientRect();
  const round = (v) => Math.round(v * 10) / 10;
  // A finger and a mouse have no pressure worth the name.
  const pressure = event.pointerType === "pen" && event.pressure > 0 ? Math.round(event.pressure * 1000) / 1000 : null;
  return [round(event.clientX - place.left), round(event.clientY - place.top), pressure, Math.round(event.timeStamp - started)];
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || current || strokes.length >= MOST_STROKES) return;
  // A palm that rests on the screen is not the pen.
  if (event.pointerType === "touch" && !event.isPrimary) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  canvas.parentElement.classList.remove("keys");
  canvas.setPointerCapture(event.pointerId);
  pointer = event.pointerId;
  pen = null;
  current = [point(event)];
  changed();
});
canvas.addEventListener("pointermove", (event) => {
  if (!current || event.pointerId !== pointer) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  current.push(...(all.length ? all : [event]).map(point));
  draw();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (!current || event.pointerId !== pointer) return;
    if (end === "pointerup") strokes.push(current);
    current = pointer = null;
    changed();
  });
}

function undo() {
  strokes.pop();
  current = null;
  changed();
}

function clear() {
  strokes = [];
  current = pen = null;
  changed();
}

$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", () => {
  clear();
  canvas.focus();
});

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    undo();
  } else if (event.key === "Backspace" || event.key === "Delete") {
    undo();
  } else if (event.key === "Escape") {
    clear();
  } else if (event.key in STEPS) {
    pen ??= { x: canvas.clientWidth / 3, y: canvas.clientHeight / 4, down: false };
    const reach = event.shiftKey ? 3 : 12;
    const [dx, dy] = STEPS[event.key];
    pen.x = Math.min(Math.max(8, pen.x + reach * dx), canvas.clientWidth - 8);
    pen.y = Math.min(Math.max(8, pen.y + reach * dy), canvas.clientHeight - 8);
    if (pen.down) current.push([pen.x, pen.y, null, Math.round(performance.now() - started)]);
    $("hint").hidden = true;
    draw();
  } else if (event.key === " ") {
    pen ??= { x: canvas.clientWidth / 3, y: canvas.clientHeight / 4, down: false };
    pen.down = !pen.down;
    if (pen.down) {
      current = [[pen.x, pen.y, null, Math.round(performance.now() - started)]];
    } else if (current) {
      strokes.push(current);
      current = null;
    }
    say("announce", pen.down ? "Pen down" : "Pen up");
    changed();
  } else {
    return;
  }
  event.preventDefault();
});
// Who writes with a pen needs no ring around the pad; who comes by Tab does.
canvas.addEventListener("focus", () => canvas.parentElement.classList.add("keys"));
canvas.addEventListener("blur", () => {
  if (pen && pen.down && current) strokes.push(current);
  if (pen) {
    pen = null;
    if (pointer === null) current = null;
    changed();
  }
});

new ResizeObserver(draw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
