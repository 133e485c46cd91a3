"""The papers' protocols: how were the published numbers measured, and what comes out here?

"98.7 % on Omniglot" means nothing without the protocol. Two are in use, and they are far apart:

  finn   1,623 characters of 50 alphabets, shuffled: 1,200 to learn from (100 of them to choose the network by), 423 for
         the test. A task has different characters, each turned by a random quarter turn. They come from anywhere, so
         most of them look nothing like each other.
  lake   20 characters of *one* alphabet, which the learner has never seen, one drawing of each, and one new drawing of
         each by another hand: the 20 official runs of Lake, Salakhutdinov & Tenenbaum (2015), which people get 4.5 %
         wrong. One learns from the 30 background alphabets, or from a minimal set of 5.

Two more measurements belong to the tables: `sinusoids`, the curves of Finn et al. at their settings, and `worlds`,
where a network that learned from printed characters is tested on handwritten ones, and the other way round.

This is a program and not a lesson. The pages: `finn`, `lake`, `sinusoids` and `worlds` (the protocols), `variants`
(two methods with what the literature found since, one as published), `rows` (which method is trained how),
`statistics` (which images batch norm sees, and what is measured with them), `training` and `distortion`.

    python -m fewshot_np.results finn --method MAML
"""
