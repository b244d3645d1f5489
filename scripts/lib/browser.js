// Looks at a page that is shown: does it scroll sideways, is text large enough, does it stand out from what is behind it?
// Runs inside the page; browser.py calls it with the page's width and the limits, and gets a list of [kind, problem].
const [width, smallest, contrast] = arguments;
const problems = [];
const seen = { texts: 0, contrasts: 0 };

const page = document.documentElement;
if (page.scrollWidth > width) {
  problems.push(["sideways", `the page is ${page.scrollWidth} px wide, the window ${width}`]);
}

// What lets clicks through would hide from elementsFromPoint.
const solid = new CSSStyleSheet();
solid.replaceSync("* { pointer-events: auto !important }");
document.adoptedStyleSheets = [...document.adoptedStyleSheets, solid];

const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const paint = canvas.getContext("2d", { willReadFrequently: true });
const parsed = new Map();

// Any CSS colour as red, green, blue from 0 to 255 and alpha from 0 to 1; null for none.
function rgba(color) {
  if (!parsed.has(color)) {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = color;
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
    parsed.set(color, color === "none" ? null : [red, green, blue, alpha / 255]);
  }
  return parsed.get(color);
}

function opacity(element) {
  let product = 1;
  for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
  return product;
}

// What an element paints where it is hit: a colour, null for nothing, or undefined where that cannot be computed.
function painted(element) {
  const style = getComputedStyle(element);
  const isDrawn = element instanceof SVGElement && !(element instanceof SVGSVGElement);
  if (isDrawn && !(element instanceof SVGGeometryElement)) return null;
  if (isDrawn ? style.fill.startsWith("url") : style.backgroundImage !== "none") return undefined;
  const color = rgba(isDrawn ? style.fill : style.backgroundColor);
  if (!color) return null;
  const alpha = color[3] * opacity(element) * (isDrawn ? Number(style.fillOpacity) : 1);
  return alpha === 0 ? null : [color[0], color[1], color[2], alpha];
}

function over(front, back) {
  const mix = (at) => front[at] * front[3] + back[at] * (1 - front[3]);
  return [mix(0), mix(1), mix(2), 1];
}

function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

// The colour behind a text at a point, or null where it cannot be computed.
function behind(element, x, y) {
  const hit = document.elementsFromPoint(x, y);
  const at = hit.indexOf(element);
  let stack = hit.slice(Math.max(at, 0));
  if (at < 0 && !(element instanceof SVGElement)) {
    // Scrolled out of sight: its ancestors are what can be known.
    stack = [];
    for (let up = element; up; up = up.parentElement) stack.push(up);
  }
  const layers = [];
  for (const below of stack) {
    if (below === element && element instanceof SVGElement) continue;
    const color = painted(below);
    if (color === undefined) return null;
    if (color) layers.push(color);
    if (color && color[3] >= 0.999) return layers.reduceRight((back, front) => over(front, back));
  }
  return null;
}

function isClipped(element) {
  for (let at = element; at; at = at.parentElement) {
    const box = at.getBoundingClientRect();
    if ((box.width <= 1 || box.height <= 1) && getComputedStyle(at).overflow !== "visible") return true;
  }
  return false;
}

function place(element) {
  const names = [];
  for (let at = element; at && names.length < 3; at = at.parentElement) {
    names.unshift(at.localName + (at.getAttribute("class") ? "." + at.getAttribute("class").trim().replace(/\s+/g, ".") : ""));
  }
  return names.join(" > ");
}

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const node = texts.currentNode;
  const element = node.parentElement;
  if (!node.data.trim() || element.closest("script, style, noscript, template, title, desc, metadata")) continue;
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = [...range.getClientRects()].find((rect) => rect.width > 1 && rect.height > 1);
  if (!box || isClipped(element)) continue;
  seen.texts += 1;

  const style = getComputedStyle(element);
  const isDrawn = element instanceof SVGElement;
  const what = `“${node.data.trim().slice(0, 40)}” in ${place(element)}`;
  let size = parseFloat(style.fontSize);
  if (isDrawn) {
    const { a, b, c, d } = element.getScreenCTM();
    size *= Math.sqrt(Math.abs(a * d - b * c));
  }
  if (size < smallest - 0.01) problems.push(["small", `${size.toFixed(1)} px: ${what}`]);

  const color = rgba(isDrawn ? style.fill : style.color);
  const back = behind(element, box.left + box.width / 2, box.top + box.height / 2);
  if (!color || !back) continue;
  seen.contrasts += 1;
  const front = over([color[0], color[1], color[2], color[3] * opacity(element) * (isDrawn ? Number(style.fillOpacity) : 1)], back);
  const found = ratio(front, back);
  if (found < contrast - 0.005) problems.push(["contrast", `${found.toFixed(2)}: ${what}, ${front.map(Math.round).slice(0, 3)} on ${back.map(Math.round).slice(0, 3)}`]);
}

document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== solid);
return { problems, ...seen };
