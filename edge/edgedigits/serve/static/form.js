// The form editor. A form is edited as the values of its file; boxes are kept in fractions of the page
// here, and go back into the file's own unit when it is written.

import { $, ask, asJson, askJson, element, plural, say } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const SIDE = 1000; // the drawing's own unit: thousandths of the page, in both directions
const SMALLEST = 0.004;

let top = {}; // the file's other keys: name, title
let page = { find: "none", unit: "fraction" };
let items = []; // { values, box, readings }; values are the table without its box
let chosen = null;
let picture = null; // number of the kept picture
let file = null; // the form file edgedigits was started with
let revision = null;
let address = null; // of the page's picture

// --- from the file's values and back ---

const unitOf = (of) => (of.unit === "fraction" || !of.size ? [1, 1] : of.size);
const isGrid = (item) => (item.values.rows ?? 1) * (item.values.columns ?? 1) > 1;
const tidy = (v, unit) => Number(v.toFixed(unit === 1 ? 5 : 3));

function load(form) {
  const { page: found, field = [], grid = [], ...rest } = form;
  top = rest;
  page = found;
  const [w, h] = unitOf(page);
  items = [...field, ...grid].map(({ box, ...values }) => ({
    values,
    box: [box[0] / w, box[1] / h, box[2] / w, box[3] / h],
    readings: null,
  }));
  chosen = null;
  showForm();
  draw();
}

function values() {
  const [w, h] = unitOf(page);
  const field = [];
  const grid = [];
  for (const item of items) {
    const [x, y, wide, high] = item.box;
    const box = [tidy(x * w, w), tidy(y * h, h), tidy(wide * w, w), tidy(high * h, h)];
    const { name, rows, columns, ...others } = item.values;
    if (isGrid(item)) grid.push({ name, box, rows: rows ?? 1, columns: columns ?? 1, ...others });
    else field.push({ name, box, ...others });
  }
  const made = { ...top, page };
  if (field.length) made.field = field;
  if (grid.length) made.grid = grid;
  return made;
}

// --- the picture below ---

async function keep(options, query = "") {
  try {
    say("state", "looking …");
    ({ id: picture } = await askJson(`/api/pictures${query}`, { method: "POST", ...options }));
    for (const item of items) item.readings = null;
    await findPage();
  } catch (error) {
    fail(error);
  }
}

/** Have the device find the page in the picture and flatten it. */
async function findPage() {
  if (!picture) return;
  say("trouble", "");
  say("state", "finding the page …");
  try {
    const answer = await ask(`/api/form/page?picture=${picture}`, asJson("POST", values()));
    place(await answer.blob());
    say("state", "");
  } catch (error) {
    fail(error);
    if (error.status !== 422) return;
    // The picture as it is, to see what is wrong with it.
    const answer = await ask(`/api/pictures/${picture}`).catch(() => null);
    if (answer) place(await answer.blob());
  }
}

function place(blob) {
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(blob);
  $("page").src = address;
  $("page").alt = "The page of the form";
  $("page").hidden = false;
  $("sheet").style.aspectRatio = "";
  $("empty").hidden = true;
}

function fail(error) {
  say("trouble", error.message);
  say("state", "");
}

// --- drawing ---

function made(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function draw() {
  const focused = document.activeElement?.dataset?.item;
  const drawing = $("boxes");
  drawing.replaceChildren();
  $("labels").replaceChildren();
  items.forEach((item, k) => {
    const [x, y, w, h] = item.box.map((v) => v * SIDE);
    const kind = `box${isGrid(item) ? " grid" : ""}${item === chosen ? " chosen" : ""}`;
    const rectangle = made("rect", { x, y, width: w, height: h, class: kind, tabindex: 0, role: "button", "data-item": k });
    const [left, upper, wide, high] = item.box.map((v) => Math.round(v * 100));
    rectangle.setAttribute("aria-label", `Field ${item.values.name}: ${left} % from the left, ${upper} % from the top, ${wide} by ${high} %`);
    rectangle.setAttribute("aria-pressed", item === chosen);
    drawing.append(rectangle);
    for (const line of innerLines(item)) drawing.append(made("line", { class: "cells", ...line }));
    const label = element("span", item === chosen ? { class: "chosen" } : {}, item.values.name);
    label.style.left = `${item.box[0] * 100}%`;
    label.style.top = `${item.box[1] * 100}%`;
    $("labels").append(label);
  });
  if (chosen) drawing.append(handle(chosen));
  if (!address) {
    // Without a picture the sheet is at least of the page's shape.
    $("sheet").style.aspectRatio = page.size ? `${page.size[0]} / ${page.size[1]}` : "3 / 2";
    $("empty").hidden = items.length > 0;
  }
  if (focused !== undefined) drawing.querySelector(`[data-item="${focused}"]`)?.focus();
  list();
}

function innerLines(item) {
  const [x, y, w, h] = item.box.map((v) => v * SIDE);
  const rows = item.values.rows ?? 1;
  const cells = item.values.style === "comb" && !isGrid(item) ? (item.values.cells ?? mostDigits(item)) : 1;
  const columns = (item.values.columns ?? 1) * cells;
  const found = [];
  for (let k = 1; k < columns; k++) found.push({ x1: x + (k * w) / columns, x2: x + (k * w) / columns, y1: y, y2: y + h });
  for (let k = 1; k < rows; k++) found.push({ x1: x, x2: x + w, y1: y + (k * h) / rows, y2: y + (k * h) / rows });
  return found;
}

function handle(item) {
  const place = $("boxes").getBoundingClientRect(); // of the screen: the drawing is stretched to the page
  const [wide, high] = [(14 / place.width) * SIDE, (14 / place.height) * SIDE];
  const [x, y, w, h] = item.box.map((v) => v * SIDE);
  return made("rect", { class: "handle", x: x + w - wide / 2, y: y + h - high / 2, width: wide, height: high });
}

function list() {
  $("names").replaceChildren(
    ...items.map((item, k) => {
      const name = element("button", { type: "button", "aria-pressed": item === chosen }, item.values.name);
      if (item.readings) name.append(reading(item));
      name.addEventListener("click", () => {
        choose(items[k]);
        $("boxes").querySelector(`[data-item="${k}"]`)?.focus();
      });
      return element("li", {}, name);
    }),
  );
  $("no-fields").hidden = items.length > 0;
}

function reading(item) {
  if (item.readings.length === 1) {
    const [{ value, raw, error }] = item.readings;
    if (error) return element("span", { class: "value bad" }, raw ? `${raw}: ${error}` : error);
    return element("span", { class: "value" }, value ?? "blank");
  }
  const read = item.readings.filter((one) => one.value !== null).length;
  return element("span", { class: "value" }, `${read} of ${item.readings.length} read`);
}

function choose(item) {
  chosen = item;
  showField();
  draw();
}

// --- boxes by pointer and by key ---

const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

function fractions(event) {
  const area = $("boxes").getBoundingClientRect();
  return [clamp((event.clientX - area.left) / area.width, 0, 1), clamp((event.clientY - area.top) / area.height, 0, 1)];
}

let drag = null;

$("boxes").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  const start = fractions(event);
  const index = event.target.dataset.item;
  if (event.target.classList.contains("handle")) {
    drag = { kind: "size", item: chosen, start, from: [...chosen.box] };
  } else if (index !== undefined) {
    choose(items[index]);
    $("boxes").querySelector(`[data-item="${index}"]`).focus();
    drag = { kind: "move", item: chosen, start, from: [...chosen.box] };
  } else {
    drag = { kind: "new", item: null, start, from: null };
  }
  $("boxes").setPointerCapture(event.pointerId);
  event.preventDefault();
});
$("boxes").addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [x, y] = fractions(event);
  const [x0, y0] = drag.start;
  if (drag.kind === "new") {
    const box = [Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)];
    if (!drag.item) {
      if (box[2] < SMALLEST || box[3] < SMALLEST) return;
      drag.item = add(box);
    }
    drag.item.box = box;
  } else if (drag.kind === "move") {
    shift(drag.item, drag.from, x - x0, y - y0);
  } else {
    stretch(drag.item, drag.from, x - x0, y - y0);
  }
  draw();
});
for (const end of ["pointerup", "pointercancel"]) {
  $("boxes").addEventListener(end, () => {
    if (drag?.kind === "new" && drag.item) {
      showField();
      $("name").focus();
      $("name").select();
    }
    drag = null;
  });
}

function shift(item, [x, y, w, h], dx, dy) {
  item.box = [clamp(x + dx, 0, 1 - w), clamp(y + dy, 0, 1 - h), w, h];
}

function stretch(item, [x, y, w, h], dx, dy) {
  item.box = [x, y, clamp(w + dx, SMALLEST, 1 - x), clamp(h + dy, SMALLEST, 1 - y)];
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

$("boxes").addEventListener("keydown", (event) => {
  const item = items[event.target.dataset?.item];
  if (!item) return;
  if (event.key in STEPS) {
    const step = event.altKey ? 0.001 : 0.005;
    const [dx, dy] = STEPS[event.key].map((v) => v * step);
    (event.shiftKey ? stretch : shift)(item, item.box, dx, dy);
    if (item !== chosen) choose(item);
    else draw();
  } else if (event.key === "Enter" || event.key === " ") {
    choose(item);
    $("name").focus();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    remove(item);
  } else {
    return;
  }
  event.preventDefault();
});

// --- fields ---

function mostDigits(item) {
  const { digits } = item.values;
  return Array.isArray(digits) ? digits[1] : digits;
}

function add(box) {
  let number = items.length + 1;
  while (items.some((item) => item.values.name === `field${number}`)) number += 1;
  const item = { values: { name: `field${number}`, digits: 1, style: "free", printed: "none" }, box, readings: null };
  items.push(item);
  chosen = item;
  showField();
  return item;
}

function remove(item) {
  items = items.filter((other) => other !== item);
  choose(null);
  $("add").focus();
}

function showForm() {
  $("form-name").value = top.name ?? "";
  $("find").value = page.find;
  $("width").value = page.size?.[0] ?? "";
  $("height").value = page.size?.[1] ?? "";
  showField();
}

function showField() {
  $("field").hidden = !chosen;
  if (!chosen) return;
  const { name, digits, style, printed, required, check, pattern, range, rows, columns } = chosen.values;
  const [low, high] = Array.isArray(digits) ? digits : [digits, digits];
  const written = style ?? (isGrid(chosen) ? "comb" : "free");
  const set = { name, fewest: low, most: high, style: written, check, pattern };
  set.printed = printed ?? (written === "comb" ? "boxes" : "none");
  set.low = range?.[0];
  set.high = range?.[1];
  set.rows = rows ?? 1;
  set.columns = columns ?? 1;
  for (const [id, value] of Object.entries(set)) $(id).value = value ?? "";
  $("required").checked = required ?? true;
  if (check || pattern || range) $("more").open = true;
}

$("field").addEventListener("submit", (event) => event.preventDefault());
$("field").addEventListener("input", () => {
  if (!chosen) return;
  const number = (id) => ($(id).value === "" ? null : Number($(id).value));
  const set = (key, value, leave) => {
    if (value === leave || value === "" || value === null) delete chosen.values[key];
    else chosen.values[key] = value;
  };
  const rows = number("rows") ?? 1;
  const columns = number("columns") ?? 1;
  let name = $("name").value.trim();
  // The fields of a grid are told apart by where they are in it.
  if (rows * columns > 1 && !(name.includes("{row}") && name.includes("{column}"))) name = `${name}_{row}_{column}`;
  chosen.values.name = name || "field";
  const [low, high] = [number("fewest") ?? 1, number("most") ?? 1];
  chosen.values.digits = low === high ? high : [low, high];
  set("style", $("style").value);
  set("printed", $("printed").value);
  set("required", $("required").checked, true);
  set("check", $("check").value.trim());
  set("pattern", $("pattern").value);
  const range = [number("low"), number("high")];
  set("range", range.includes(null) ? null : range);
  set("rows", rows, 1);
  set("columns", columns, 1);
  if ($("style").value === "free") delete chosen.values.cells;
  chosen.readings = null;
  draw();
});
$("field").addEventListener("change", () => chosen && showField());
$("remove").addEventListener("click", () => chosen && remove(chosen));
$("add").addEventListener("click", () => {
  const item = add([0.1, 0.1, 0.3, 0.06]);
  draw();
  $("boxes").querySelector(`[data-item="${items.indexOf(item)}"]`).focus();
});

// --- the form as a whole ---

$("form-name").addEventListener("input", () => {
  top.name = $("form-name").value.trim() || "form";
});
$("find").addEventListener("change", () => {
  page.find = $("find").value;
  findPage();
});
for (const id of ["width", "height"]) {
  $(id).addEventListener("change", () => {
    const size = [Number($("width").value), Number($("height").value)];
    if (!(size[0] > 0 && size[1] > 0)) return;
    if (!page.size && page.unit === "fraction") delete page.unit; // a size in millimetres, given for the first time
    page.size = size;
    findPage();
  });
}

$("take").addEventListener("click", () => keep({}, "?from=live"));
$("file").addEventListener("change", (event) => {
  const [chosenFile] = event.target.files;
  event.target.value = "";
  if (!chosenFile) return;
  const type = chosenFile.type.startsWith("image/") ? chosenFile.type : "application/octet-stream";
  keep({ headers: { "Content-Type": type }, body: chosenFile });
});

$("try").addEventListener("click", async () => {
  if (!picture) {
    say("trouble", "take a frame or use a picture first");
    return;
  }
  say("trouble", "");
  say("state", "reading …");
  try {
    const { fields } = await askJson(`/api/form/read?picture=${picture}`, asJson("POST", values()));
    // In the file's order: the fields first, then the grids, each row by row.
    const rest = [...fields];
    for (const item of [...items.filter((i) => !isGrid(i)), ...items.filter(isGrid)]) {
      item.readings = rest.splice(0, (item.values.rows ?? 1) * (item.values.columns ?? 1));
    }
    say("state", `${fields.filter((one) => one.value !== null).length} of ${plural(fields.length, "field")} read`);
    draw();
  } catch (error) {
    fail(error);
  }
});

$("open").addEventListener("change", async (event) => {
  const [chosenFile] = event.target.files;
  event.target.value = "";
  if (!chosenFile) return;
  try {
    const text = await chosenFile.text();
    const options = { method: "POST", headers: { "Content-Type": "application/toml" }, body: text };
    load((await askJson("/api/form/parse", options)).form);
    say("trouble", "");
    say("state", `${chosenFile.name} is open`);
    await findPage();
  } catch (error) {
    fail(error);
  }
});

$("download").addEventListener("click", async () => {
  try {
    const answer = await ask("/api/form/text", asJson("POST", values()));
    const link = URL.createObjectURL(await answer.blob());
    element("a", { href: link, download: `${top.name || "form"}.toml` }).click();
    setTimeout(() => URL.revokeObjectURL(link), 1000);
    say("trouble", "");
  } catch (error) {
    fail(error);
  }
});

$("save").addEventListener("click", async () => {
  try {
    ({ revision } = await askJson("/api/form", asJson("PUT", { form: values(), revision })));
    say("trouble", "");
    say("state", `saved in ${file}`);
  } catch (error) {
    fail(error);
  }
});

new ResizeObserver(draw).observe($("sheet"));

try {
  const current = await askJson("/api/form");
  ({ file, revision } = current);
  $("save").hidden = !file;
  load(current.form ?? { name: file ? file.replace(/\.toml$/, "") : "form", page });
} catch (error) {
  fail(error);
}
