// What was read, drawn over a picture: solid blue where it counts, dashed orange where it is doubtful.

const BLUE = "#0072b2";
const ORANGE = "#e69f00";

/** Draw a page's lines on a canvas context on which its picture is `scale` times its own size. */
export function drawLines(context, page, scale) {
  for (const line of page.lines) {
    const colour = line.accepted ? BLUE : ORANGE;
    const [x, y, w, h] = line.box.map((v) => v * scale);
    const pad = 4;
    context.setLineDash([]);
    context.lineWidth = 1;
    context.strokeStyle = colour;
    for (const digit of line.digits) {
      const [dx, dy, dw, dh] = digit.box.map((v) => v * scale);
      context.globalAlpha = 0.65;
      context.strokeRect(dx, dy, dw, dh);
    }
    context.globalAlpha = 1;
    for (const [width, tone] of [[5, "#ffffffcc"], [2.5, colour]]) {
      context.setLineDash(line.accepted ? [] : [8, 5]);
      context.lineWidth = width;
      context.strokeStyle = tone;
      context.strokeRect(x - pad, y - pad, w + 2 * pad, h + 2 * pad);
    }
  }
  // The plates come last, so that no box crosses a text.
  context.setLineDash([]);
  context.textBaseline = "middle";
  for (const line of page.lines) {
    const [x, y, w, h] = line.box.map((v) => v * scale);
    const canvasWidth = context.canvas.width / (window.devicePixelRatio || 1);
    // On a phone the plates would hide the writing: smaller, and the percentage stands below.
    const small = canvasWidth < 480;
    const tall = small ? 15 : 22;
    const text = small ? line.raw : `${line.raw}  ${Math.floor(line.confidence * 100)} %`;
    context.font = `600 ${small ? 11 : 14}px ui-monospace, 'DejaVu Sans Mono', monospace`;
    const wide = context.measureText(text).width + 12;
    const left = Math.max(0, Math.min(x - 4, canvasWidth - wide));
    const top = y - tall - 5 >= 0 ? y - tall - 5 : y + h + 6;
    context.fillStyle = line.accepted ? BLUE : ORANGE;
    context.fillRect(left, top, wide, tall);
    context.fillStyle = line.accepted ? "#ffffff" : "#000000";
    context.fillText(text, left + 6, top + tall / 2 + 0.5);
  }
}

/** Draw a picture and its page on a canvas as wide as it is laid out, sharp on any screen. */
export function show(canvas, picture, page) {
  const across = window.devicePixelRatio || 1;
  const width = Math.max(1, canvas.clientWidth);
  const height = Math.max(1, Math.round((width * picture.height) / picture.width));
  if (canvas.width !== Math.round(width * across) || canvas.height !== Math.round(height * across)) {
    canvas.width = Math.round(width * across);
    canvas.height = Math.round(height * across);
  }
  const context = canvas.getContext("2d", { alpha: false });
  context.setTransform(across, 0, 0, across, 0, 0);
  context.drawImage(picture, 0, 0, width, height);
  drawLines(context, page, width / page.size[0]);
}
