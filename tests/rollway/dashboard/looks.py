"""What can be measured of how a page looks and reads, in the browser itself."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

_CONTRAST = r"""
() => {
  const parsed = (text) => {
    const found = text.match(/rgba?\(([^)]+)\)/);
    if (!found) return null;
    const [r, g, b, a = "1"] = found[1].split(/[ ,/]+/);
    return [Number(r), Number(g), Number(b), Number(a)];
  };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) layers.push(parsed(getComputedStyle(one).backgroundColor));
    const page = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.filter(Boolean).reverse().reduce((under, top) => over(top, under), page);
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const words = [...node.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data.trim()).join("");
    const box = node.getBoundingClientRect(), style = getComputedStyle(node);
    if (!words || box.width < 2 || box.height < 2 || style.visibility === "hidden") continue;
    if (node.closest("title, desc, script, .unseen")) continue;
    const under = behind(node), ink = parsed(node.closest("svg") ? style.fill : style.color);
    if (!ink) { bad.push([words, "no colour: " + style.color]); continue; }
    const [a, b] = [light(over(ink, under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push([words.slice(0, 40), ratio.toFixed(2)]);
  }
  return bad;
}
"""

_FAULTS = r"""
() => {
  const faults = [], all = (selector) => [...document.querySelectorAll(selector)];
  const named = (node) => (node.getAttribute("aria-label") || node.textContent || node.title || "").trim();
  if (!document.documentElement.lang) faults.push("the page has no language");
  if (!document.title) faults.push("the page has no title");
  if (all("main").length !== 1 || all("header").length !== 1) faults.push("landmarks");
  if (all("h1").length !== 1) faults.push(all("h1").length + " headings of the first level");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push("a heading skips a level: " + heading.textContent);
    level = own;
  }
  for (const field of all("input:not([type=hidden]), select, textarea")) {
    if (!field.labels.length) faults.push("a field without a label: " + field.name);
  }
  for (const node of all("a, button, summary")) if (!named(node)) faults.push("no name: " + node.outerHTML);
  for (const cell of all("th")) if (!cell.scope) faults.push("a head of a table of nothing: " + cell.textContent);
  for (const table of all("table")) if (!table.caption) faults.push("a table without a caption");
  for (const nav of all("nav, section, [role=region]")) {
    const by = nav.getAttribute("aria-labelledby");
    if (!nav.getAttribute("aria-label") && !(by && document.getElementById(by))) faults.push("no name: " + nav.id);
  }
  for (const svg of all("svg")) {
    const told = (svg.getAttribute("aria-labelledby") || "").split(" ").every((id) => document.getElementById(id));
    if (svg.getAttribute("aria-hidden") !== "true" && !(svg.getAttribute("role") === "img" && told)) faults.push("svg");
  }
  const ids = all("[id]").map((node) => node.id), twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) faults.push("ids that are there twice: " + twice);
  if (!all("[aria-live]").length) faults.push("nothing tells of changes");
  for (const box of all(".scroll, .policy")) {
    if (box.scrollWidth > box.clientWidth && box.tabIndex < 0) faults.push("a box that no key can scroll");
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the window");
  return faults;
}
"""


async def contrast(page: Page) -> list[Any]:
    """Texts whose contrast is below that of WCAG 2.2's level AA (1.4.3), with their ratio. Empty if all is well."""
    return list(await page.evaluate(_CONTRAST))


async def faults(page: Page) -> list[str]:
    """What keeps people from using the page with a keyboard or a screen reader, as far as a script can tell."""
    return list(await page.evaluate(_FAULTS))
