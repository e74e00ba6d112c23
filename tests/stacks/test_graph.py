"""The graph of the resources, environment by environment, against what was last reviewed.

`python -m stackcheck snapshot` writes the files anew; their diff is for the reviewer.
"""

from dataclasses import replace

from stackcheck.graph import difference, graph, path_of, snapshots
from stackcheck.recording import STACKS, Recording

HOWTO = "review the change, then run `python -m stackcheck snapshot`"


def test_the_graph_is_the_one_that_was_reviewed(
    dev: Recording, staging: Recording, prod: Recording
) -> None:
    recordings = {"dev": dev, "staging": staging, "prod": prod}
    for stack, text in snapshots(recordings).items():
        kept = path_of(stack).read_text(encoding="utf-8")
        assert text == kept, f"{stack} is not what was reviewed: {HOWTO}\n{difference(kept, text)}"


def test_snapshots_are_small_enough_to_be_read() -> None:
    for stack in STACKS:
        lines = path_of(stack).read_text(encoding="utf-8").splitlines()
        assert 10 < len(lines) < 600, stack
        assert max(map(len, lines)) < 1000, stack


def test_every_resource_is_in_the_graph(prod: Recording) -> None:
    text = graph(prod)
    assert len(text.splitlines()) == len(prod.resources) - 1


def test_a_change_of_anything_is_seen(prod: Recording) -> None:
    first = next(one for one in prod.aws if "policy" in one.inputs)
    rest = [one for one in prod.resources if one.urn != first.urn]
    changed = replace(first, inputs=first.inputs | {"policy": first.inputs["policy"] + " "})
    for other in ((), (changed,), (replace(first, protect=not first.protect),)):
        seen = difference(graph(prod), graph(replace(prod, resources=(*rest, *other))))
        assert f":{first.name}" in seen


def test_a_change_of_the_code_alone_is_not_seen(prod: Recording) -> None:
    function = prod.of("aws:lambda/function:Function")[0]
    tagged = function.inputs["imageUri"].rpartition(":")[0] + ":0123456789abcdef"
    changed = replace(function, inputs=function.inputs | {"imageUri": tagged})
    resources = tuple(changed if one is function else one for one in prod.resources)
    assert graph(replace(prod, resources=resources)) == graph(prod)
