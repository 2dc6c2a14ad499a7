// Looks at a report's page in headless Chromium: node check.mjs PAGE.html FOLDER
// Prints what is wrong, one line each, and leaves screenshots in FOLDER.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.PORTSCAN_PAGE_TOOLS + "/");
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [file, folder] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const wrong = [];
const claim = (holds, what) => holds || wrong.push(what);

const browser = await puppeteer.launch({
  executablePath: process.env.PORTSCAN_CHROMIUM || "/usr/bin/chromium",
  // As root, which tests are, its own sandbox does not start.
  args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
});

async function open(width, height, { script = true, dark = false } = {}) {
  const page = await browser.newPage();
  await page.setViewport({ width, height });
  await page.setJavaScriptEnabled(script);
  const scheme = dark ? "dark" : "light";
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("request", (request) => claim(request.url() === url, `it asks for ${request.url()}`));
  page.on("console", (message) => claim(message.type() !== "error", `console: ${message.text()}`));
  await page.goto(url, { waitUntil: "load" });
  return page;
}

const shown = (page) =>
  page.$$eval(".card", (cards) => cards.filter((card) => getComputedStyle(card).display !== "none").length);
const background = (page) => page.$eval("body", (body) => getComputedStyle(body).backgroundColor);

// A desktop: everything is there, search narrows, nothing is inaccessible.
const desktop = await open(1280, 800);
const all = await shown(desktop);
claim(all > 3, `${all} cards on a desktop`);
await desktop.screenshot({ path: `${folder}/desktop.png` });
await desktop.type("input[type=search]", "closed no-such-word");
claim((await shown(desktop)) === 0, "search leaves cards that have not all words");
await desktop.$eval("input[type=search]", (field) => {
  field.value = "RESET";
  field.dispatchEvent(new Event("input"));
});
const found = await shown(desktop);
claim(found > 0 && found < all, `search for a reason shows ${found} of ${all}`);

for (const dark of [false, true]) {
  const page = await open(1280, 800, { dark });
  // What is folded is read out too.
  await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
  await page.evaluate(axe);
  const report = await page.evaluate(() =>
    globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }),
  );
  claim(report.passes.length > 10, `only ${report.passes.length} rules of accessibility were looked at`);
  for (const violation of report.violations) {
    wrong.push(`axe, ${dark ? "dark" : "light"}: ${violation.id}: ${violation.nodes[0].html}`);
  }
  if (dark) {
    await page.$$eval("details", (all) => all.forEach((one) => (one.open = false)));
    await page.screenshot({ path: `${folder}/dark.png` });
    claim((await background(page)) !== (await background(desktop)), "dark is not darker than light");
  }
}

// A phone, down to the narrowest: nothing sticks out.
for (const width of [320, 360]) {
  const page = await open(width, 740);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  claim(wide <= width, `${wide} pixels wide on a screen of ${width}`);
  if (width === 360) await page.screenshot({ path: `${folder}/phone.png` });
}

// Without scripts: all cards, a filter that works, no field that does not.
const plain = await open(800, 600, { script: false });
claim((await plain.$("input[type=search]")) === null, "a search field that nothing answers");
claim((await shown(plain)) === all, "cards are missing without scripts");
for (const state of ["open", "closed"]) {
  await plain.click(`label:has(#only-${state})`);
  const left = await plain.$$eval(".card", (cards, state) =>
    cards
      .filter((card) => getComputedStyle(card).display !== "none")
      .map((card) => card.classList.contains(state)), state);
  claim(left.length > 0 && left.length < all && left.every(Boolean), `the filter for ${state} shows ${left}`);
}

await browser.close();
for (const line of wrong) console.log(line);
process.exitCode = wrong.length ? 1 : 0;
