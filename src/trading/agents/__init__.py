"""Agents: the policy that scores slots, and what trains it.

`policy`, `ensemble`, `artifact` and `reward` run on numpy and serve; `environment`, `slot_env`,
`finrl_bridge`, `training` and `job` need the extra `training`.
"""
