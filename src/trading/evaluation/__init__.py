"""Evaluation: walk-forward folds, out-of-fold tracks, baselines and the deployment gate."""
