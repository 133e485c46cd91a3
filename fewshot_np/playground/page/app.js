// The frame: loads the networks, shows one scene at a time, keeps language and theme.

import { currentLanguage, LANGUAGES, setLanguage, t } from "./strings.js";
import { load } from "./weights.js";
import * as draw from "./draw.js";

const SCENES = { draw: async () => draw, curve: () => import("./curve.js"), versus: () => import("./versus.js"),
  line: () => import("./line.js") };
const $ = (id) => document.getElementById(id);
const mounted = {};
let weights;
let problem = null;  // [key, value] of what is shown, so that it can be translated

export function showProblem(key, value = "") {
  problem = key && [key, value];
  $("problem").hidden = !problem;
  $("problem").textContent = problem ? t(...problem) : "";
}

function translate() {
  document.documentElement.lang = currentLanguage();
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  for (const element of document.querySelectorAll("[data-lessons]")) element.replaceChildren(...lessonLinks(element.dataset.lessons));
  $("language").textContent = currentLanguage() === "en" ? "中文" : "English";
  $("language").lang = currentLanguage() === "en" ? "zh" : "en";
  if (problem) showProblem(...problem);
  for (const scene of Object.values(mounted)) scene.render?.();
}

/** "Lesson: ..." with links where the texts are served beside the page, and with commands where they are not. */
function lessonLinks(names) {
  const { content, dataset } = document.querySelector("meta[name=lessons]");
  const nodes = [t("lesson")];
  for (const name of names.split(" ")) {
    const chinese = currentLanguage() === "zh" && dataset.inChinese?.split(" ").includes(name);
    const base = chinese ? dataset.chinese : content;
    const link = document.createElement(base ? "a" : "code");
    link.textContent = base ? name : `python -m fewshot_np.${name}`;
    if (base) Object.assign(link, { href: `${base}${name}/`, target: "_top" });  // out of the frame that the site shows it in
    nodes.push(" ", link);
  }
  return nodes;
}

async function show() {
  const name = Object.hasOwn(SCENES, location.hash.slice(1)) ? location.hash.slice(1) : "draw";
  for (const each of Object.keys(SCENES)) $(each).hidden = each !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (mounted[name]) return mounted[name].shown?.();
  try {
    const scene = await SCENES[name]();
    mounted[name] = await scene.mount(weights, showProblem);
  } catch (error) {
    console.warn(error);
    showProblem("problem.scene", error.message);
  }
}

function missingFeature() {
  if (!("PointerEvent" in window)) return "PointerEvent";
  if (typeof Worker === "undefined") return "Worker";
  return document.createElement("canvas").getContext("2d") ? null : "canvas";
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a browser may forbid it; the setting then lasts for this visit */ }
}

function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

async function start() {
  setLanguage(recall("language") ?? (navigator.language?.startsWith("zh") ? "zh" : "en"));
  setTheme(recall("theme"));
  translate();
  $("language").onclick = () => {
    setLanguage(LANGUAGES[1 - LANGUAGES.indexOf(currentLanguage())]);
    remember("language", currentLanguage());
    translate();
  };
  $("theme").onclick = () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("--scheme").trim() === "dark";
    setTheme(dark ? "light" : "dark");
    remember("theme", dark ? "light" : "dark");
  };
  const missing = missingFeature();
  if (missing) return showProblem("problem.feature", missing);
  try {
    weights = await load("./weights/networks.bin");
  } catch (error) {
    return showProblem("problem.weights", error.message);
  }
  showProblem(null);
  document.querySelector("main").hidden = false;
  window.addEventListener("hashchange", show);
  await show();
  document.documentElement.dataset.ready = "1";
}

start();
