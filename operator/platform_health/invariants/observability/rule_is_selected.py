"""RuleIsSelected."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.monitoring import READERS, has_other_reader, look, taking
from platform_health.domain.namespaces import is_opted_out
from platform_health.domain.promql import Invalid, parse
from platform_health.domain.selecting import labelling, place_of, reasons
from platform_health.invariant import INFO, WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.monitoring import PrometheusRule, ThanosRuler


@invariant(
    severity=WARNING,
    symptom="no alerts and no recorded series from these rules",
    category="observability",
    needs=(*READERS, ThanosRuler),
    fixes=(PrometheusRule,),
)
def rule_is_selected(rules: PrometheusRule, inventory: Inventory) -> Iterator[Violation]:
    """Some Prometheus or ThanosRuler selects every PrometheusRule, by its labels and its namespace.

    Why: rules are selected as monitors are. A rule that nobody selects never fires and records nothing, without an
    error anywhere.

    Remedy: add the label that the `ruleSelector` asks for. It is added automatically where exactly one Prometheus or
    ruler lacks only labels and no other would select the rules too.

    See: prometheus-operator, `ruleSelector`.
    """
    if rules.status.bindings or is_opted_out(rules.namespace, inventory):
        return
    seen = look(rules, inventory)
    if (not seen.selections and not seen.gaps) or taking(seen, rules.labels):
        return
    if any(isinstance(parse(str(rule.expr)), Invalid) for _, rule in rules.rules()):
        raise Unknown("its expressions are no PromQL, so another ruler is meant")
    elsewhere = has_other_reader(inventory)
    yield Violation(
        at=place_of(rules, seen.selections),
        because=f"no Prometheus and no ruler selects it: {reasons(rules, seen.selections)}",
        severity=INFO if elsewhere else WARNING,
        verify=f"kubectl get prometheusrule -n {rules.namespace} {rules.name} --show-labels",
        fix=None if elsewhere else labelling(rules, seen),
    )
