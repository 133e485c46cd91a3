// What the search shows first: Sphinx's own weights, with the texts before the code and the reference.
var Scorer = {
  score: ([page, , , , score]) => score - (/^(code|api)\//.test(page) ? 20 : 0),
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
