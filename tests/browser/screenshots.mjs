// screenshots.mjs OUT: renders the pictures of docs/report.md from the page `report`.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { launch, open } from "./kit.mjs";

const [out] = process.argv.slice(2);

// Name, theme, width, the element at the top of the picture, and the height in CSS pixels.
const PICTURES = [
    ["overview", "light", 1180, "body", 880],
    ["overview-dark", "dark", 1180, "body", 880],
    ["problems", "light", 1180, "#misses", 900],
    ["phone", "light", 390, "body", 844],
    ["phone-images-dark", "dark", 390, "#images", 844],
];

// playwright writes PNG and JPEG only; the browser itself also writes WebP, which is smaller.
const save = async (page, name, clip) => {
    const session = await page.context().newCDPSession(page);
    const options = { format: "webp", quality: 82, captureBeyondViewport: true, clip: { ...clip, scale: 1 } };
    const { data } = await session.send("Page.captureScreenshot", options);
    await writeFile(path.join(out, `${name}.webp`), Buffer.from(data, "base64"));
};

const browser = await launch();
for (const [name, theme, width, top, height] of PICTURES) {
    const { page, close } = await open(browser, "report", { theme, width, deviceScaleFactor: width < 500 ? 2 : 1.25 });
    const { y } = await page.locator(top).boundingBox();
    await save(page, name, { x: 0, y: Math.max(0, y - (top === "body" ? 0 : 8)), width, height });
    await close();
}
await browser.close();
