"""What the code may say: every notice kind, variant-free, and every choice verb, read from the source itself."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("desk", "handlers", "web", "bot")


@cache
def trees() -> dict[str, ast.Module]:
    """Every module that may make a notice, by dotted name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "wording" not in path.parts:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found[name] = ast.parse(path.read_text("utf-8"))
    return found


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of a function or record by its plain name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def kinds() -> set[str]:
    """Every kind a `Notice(…)` in the code may have; one made at run time stands as "prefix*"."""
    return {
        kind
        for module, tree in trees().items()
        for call in calls(tree, "Notice")
        for kind in values(module, call, argument(call, 0, "kind"))
    }


def verbs() -> set[str]:
    """Every verb a `Choice(…)` in the code may have; channels only make again what they were given."""
    return {
        verb
        for module, tree in trees().items()
        if not module.startswith("bot.channels.")
        for call in calls(tree, "Choice")
        for verb in values(module, call, argument(call, 0, "verb"))
    }


def troubles() -> set[str]:
    """Every trouble a channel may tell of."""
    telling = ("begin", "once", "_rest", "_until_done")
    by_code = {
        value.value
        for module, tree in trees().items()
        if module.startswith("bot.channels.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id == "_CURES" and isinstance(node.value, ast.Dict)
        for value in node.value.values
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    return by_code | {
        node.args[0].value
        for module, tree in trees().items()
        if module.startswith("bot.channels.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in telling
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def argument(call: ast.Call, place: int, name: str) -> ast.expr:
    """An argument by its place or its name."""
    if len(call.args) > place:
        return call.args[place]
    return next(keyword.value for keyword in call.keywords if keyword.arg == name)


def values(module: str, inside: ast.AST, expression: ast.expr) -> set[str]:
    """The texts an expression may be; an expression nobody can follow is an error, not a gap."""
    match expression:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(
            body=ast.Attribute(), test=ast.Compare(comparators=[ast.Constant(value=str(text))]), orelse=other
        ):
            return {text} | values(module, inside, other)  # x.kind if x.kind == "…" else …
        case ast.IfExp(body=one, orelse=other):
            return values(module, inside, one) | values(module, inside, other)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return {f"{text}*"}
        case ast.Name(id=name):
            found = _named(module, inside, name)
            assert found, f"{module}:{expression.lineno}: what may {name} be?"
            return found
    raise AssertionError(f"{module}:{expression.lineno}: {ast.unparse(expression)} cannot be followed")


def _named(module: str, inside: ast.AST, name: str) -> set[str]:
    """What a name may be: assigned in its function or module, imported, or given by the function's callers."""
    tree = trees()[module]
    function = next(
        (
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and inside in ast.walk(node)
        ),
        None,
    )
    found: set[str] = set()
    for scope in (function, tree):
        for node in ast.walk(scope) if scope else ():
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == name for target in node.targets
            ):
                found |= values(module, node, node.value)
        if found:
            return found
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in trees():
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _named(node.module, trees()[node.module], alias.name)
    if function is not None:
        places = [one.arg for one in function.args.args]
        if name in places:
            for call in calls(tree, function.name):
                found |= values(module, call, argument(call, places.index(name), name))
    return found
