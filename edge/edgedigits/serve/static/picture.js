// A picture is sent as it is, read on the device, and shown with what was read.

import { show } from "./boxes.js";
import { $, askJson, element, lineItem, plural, say } from "./common.js";

const LARGEST = 24 * 2 ** 20;

let shown = null;

async function read(file) {
  $("pages").replaceChildren();
  shown = null;
  if (file.size > LARGEST) {
    say("trouble", `${file.name} has more than 24 MB; scale it down`);
    return;
  }
  say("trouble", "");
  say("announce", "Reading");
  try {
    const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    const { pages } = await askJson("/api/read", { method: "POST", headers: { "Content-Type": type }, body: file });
    // A browser turns a photo upright as the device does; of a TIFF it shows nothing.
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
    $("pages").append(...pages.map((page, k) => card(page, k === 0 ? picture : null, pages.length)));
    shown = picture && !pages[0].error ? { picture, page: pages[0] } : null;
    redraw();
    const count = pages.reduce((n, page) => n + (page.lines ? page.lines.length : 0), 0);
    say("announce", count ? `${plural(count, "line")} read` : "No digits found");
  } catch (error) {
    say("trouble", `${file.name}: ${error.message}`);
    say("announce", "");
  }
}

function card(page, picture, count) {
  const side = element("div", { class: "stack" });
  const title = count > 1 ? `Page ${page.page + 1}` : "What it says";
  side.append(element("h2", {}, title));
  if (page.error) {
    side.append(element("p", { class: "error" }, page.error));
  } else if (page.lines.length) {
    side.append(element("ol", { class: "lines" }, ...page.lines.map(lineItem)));
    side.append(element("p", { class: "quiet" }, `read in ${page.elapsed_ms.toFixed(1)} ms`));
  } else {
    side.append(element("p", { class: "quiet" }, "No digits are found in it."));
  }
  const made = element("section", { class: picture && !page.error ? "card shot" : "card" });
  if (picture && !page.error) {
    made.append(element("canvas", { id: "picture", role: "img", "aria-label": "The picture; what it says stands beside it as text" }));
  }
  made.append(side);
  return made;
}

function redraw() {
  if (shown && $("picture")) show($("picture"), shown.picture, shown.page);
}

$("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) read(file);
  event.target.value = "";
});
const drop = $("drop");
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) read(file);
});
addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) read(file);
});
addEventListener("resize", redraw);
