"""The sums behind negCLIPLoss.

``by_pool`` and ``by_partition`` are the two estimators. Both add up their batches in ``loss_sums``
and compute log-sum-exps with ``log_sum_exp``, on recent NVIDIA GPUs with ``triton_log_sum_exp``.
"""
