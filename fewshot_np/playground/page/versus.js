// Scene 3: the same one-shot questions for a person and for the networks.

import { $, element } from "./dom.js";
import { paint } from "./drawing.js";
import { pairedDifference, pixels, prototypical, siameseDistances, siameseEmbed, wilson } from "./learners.js";
import { askMaml } from "./maml.js";
import { t } from "./strings.js";
import { drawingNetworks, load } from "./weights.js";

const TRIALS = 10;
const STEPS = { 5: 5, 20: 10 };  // of MAML: with more characters it needs more
const LEARNERS = ["pixels", "prototypical", "siamese", "maml"];

let networks;
let images;  // { shape: [classes, drawings, 28, 28], data } with ink 0...255
let trials;
let trial;

export async function mount(weights) {
  networks = drawingNetworks(weights);
  images = (await load("./weights/characters.bin")).arrays.images;
  for (const radio of document.getElementsByName("ways")) radio.onchange = begin;
  $("versus-again").onclick = begin;
  $("versus-next").onclick = next;
  document.addEventListener("keydown", key);
  begin();
  return { render };
}

const ways = () => Number(document.querySelector("input[name=ways]:checked").value);

function begin() {
  trials = [];
  next();
}

function next() {
  trial = makeTrial(images.shape, ways());
  trials.push(trial);
  compute(trial, trials);
  render();
}

/** Random classes, a drawing of each, and another drawing of one of them. */
export function makeTrial([nClasses, nDrawings], n, random = Math.random) {
  const below = (limit) => Math.floor(random() * limit);
  const order = Array.from({ length: nClasses }, (_, i) => i);
  for (let i = 0; i < n; i++) {
    const j = i + below(nClasses - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const truth = below(n);
  const support = order.slice(0, n).map((c) => [c, below(nDrawings)]);
  const other = (support[truth][1] + 1 + below(nDrawings - 1)) % nDrawings;
  return { n, truth, support, query: [support[truth][0], other], mine: null, answers: {} };
}

export function drawing({ shape, data }, [c, d]) {
  const at = (c * shape[1] + d) * 784;
  return data.subarray(at, at + 784).map((ink) => ink / 255);
}

async function compute(asked, all) {
  const support = asked.support.map((id) => drawing(images, id));
  const query = [drawing(images, asked.query)];
  const labels = support.map((_, i) => i);
  Object.assign(asked.answers, answersOf(networks, support, labels, asked.n, query));
  try {
    const { logits } = await askMaml({ support, labels, n: asked.n, steps: STEPS[asked.n], rate: networks.rate, queries: query, together: false });
    asked.answers.maml = best(logits[0]);
  } catch (error) {
    asked.answers.maml = null;  // it could not run here: it is left out of the result
    console.warn(error);
  }
  if (all === trials && trial.mine !== null) render();
}

/** The answers of the three that answer at once. */
export function answersOf({ prototypical: params, siamese, statistics }, support, labels, n, query) {
  const embed = (drawings) => siameseEmbed(siamese, statistics, drawings);
  return {
    pixels: best(pixels(support, labels, n, query)[0]),
    prototypical: best(prototypical(params, support, labels, n, query, false).scores[0]),
    siamese: best(siameseDistances(embed(support), labels, n, embed(query))[0].map((distance) => -distance)),
  };
}

const best = (values) => values.indexOf(Math.max(...values));

function answer(choice) {
  if (trial.mine !== null) return;
  trial.mine = choice;
  render();
  $("versus-next").focus();
}

function key(event) {
  if ($("versus").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const digit = Number(event.key);
  if (trial.n === 5 && digit >= 1 && digit <= 5) answer(digit - 1);
}

// ---------------------------------------------------------------- what is shown

const nameOf = (name) => (name === "you" ? t("versus.you") : t(`draw.${name}`, STEPS[trial.n]));

function render() {
  const answered = trial.mine !== null;
  const total = TRIALS * Math.ceil(trials.length / TRIALS);
  $("versus-count").textContent = t("versus.count", trials.length, total);
  paint($("versus-query"), drawing(images, trial.query));
  $("versus-choices").replaceChildren(...trial.support.map((id, i) => choiceButton(id, i, answered)));
  $("versus-said").textContent = answered ? [t("versus.said", trial.truth + 1, verdict(trial.mine)), ...LEARNERS.map((name) =>
    `${nameOf(name)}: ${verdict(trial.answers[name])}.`)].join(" ") : "";
  $("versus-next").hidden = !answered;
  $("versus-next").textContent = t(trials.length % TRIALS ? "versus.next" : "versus.more");
  renderResult(answered && trials.length % TRIALS === 0);
}

function verdict(choice) {
  if (choice === undefined) return "…";
  if (choice === null) return "–";
  return `${choice + 1}, ${t(choice === trial.truth ? "versus.right" : "versus.wrong")}`;
}

function choiceButton(id, i, answered) {
  const canvas = element("canvas");
  paint(canvas, drawing(images, id));
  const chosenBy = ["you", ...LEARNERS].filter((name) => answered && (name === "you" ? trial.mine : trial.answers[name]) === i);
  const button = element("button", { type: "button", onclick: () => answer(i), disabled: answered,
    className: answered ? `${i === trial.truth ? "truth " : ""}${i === trial.mine ? "mine" : ""}` : "" }, canvas,
  element("span", { className: "who", textContent: i + 1 }), element("span", { className: "who names", textContent: chosenBy.map(nameOf).join(", ") }));
  button.setAttribute("aria-label", t("versus.choice", i + 1));
  return button;
}

const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;
const interval = ([low, high]) => `${percent(low)}\u00a0… ${percent(high)}`;

/** After every ten trials: each accuracy with its interval, and the paired differences. */
function renderResult(shown) {
  const box = $("versus-result");
  if (!shown) return box.replaceChildren();
  const right = (name) => trials.map((each) => (name === "you" ? each.mine : each.answers[name]) === each.truth);
  const ready = LEARNERS.filter((name) => trials.every((each) => Number.isInteger(each.answers[name])));
  const waiting = LEARNERS.some((name) => trials.some((each) => each.answers[name] === undefined));
  const row = (cells, tag = "td") => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
  const mine = right("you");
  const table = element("table", {}, row([t("versus.who"), t("versus.accuracy"), t("versus.difference")], "th"));
  for (const name of ["you", ...ready]) {
    const theirs = right(name);
    const k = theirs.filter(Boolean).length;
    const { difference, interval: around } = pairedDifference(mine, theirs);
    table.append(row([nameOf(name), `${percent(k / trials.length)}, ${interval(wilson(k, trials.length))}`,
      name === "you" ? "" : `${percent(difference)}, ${interval(around)}`]));
  }
  box.replaceChildren(element("p", { textContent: t("versus.verdict", trials.length, trial.n, (100 / trial.n).toFixed(0)) }), table,
    ...(waiting ? [element("p", { className: "small", textContent: t("versus.waiting") })] : []));
}
