"""The plumbing of a run: options, training, evaluation, figures, records. It knows no method and no lesson."""
