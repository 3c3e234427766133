//! Reads the rules of a profile: names, conditions on arguments, and where they count.

use super::{
    Condition, Constraint, ErrorKind, OPERATORS, Operator, Rule,
    fields::{Diagnostics, Fields, Node},
    json_value::JsonValue,
    remark::Oddity,
};
use crate::profile::capability::Capability;

const RULE: [&str; 7] = ["names", "action", "errnoRet", "args", "comment", "includes", "excludes"];
const CONDITION: [&str; 4] = ["index", "value", "valueTwo", "op"];
const CONSTRAINT: [&str; 3] = ["caps", "arches", "minKernel"];
const NOBODY: &str = "no runtime accepts a profile without";

impl Diagnostics {
    pub(super) fn rule(&mut self, node: &Node<'_>) -> Option<Rule> {
        let fields = self.fields(node, &RULE, &["name", "errno"])?;
        let names = self.names(&fields, node);
        let action = self.required(&fields, "action", "\"action\": \"SCMP_ACT_ALLOW\"", NOBODY);
        let action = action.and_then(|node| self.action(&node));
        let errno = self.errno(&fields, ["errnoRet", "errno"], action);
        let conditions = fields.get("args").map(|node| self.list(&node)).unwrap_or_default();
        let conditions: Vec<_> = conditions.iter().map(|node| self.condition(node)).collect();
        let mut constraint =
            |key| fields.get(key).map(|node| self.constraint(&node)).unwrap_or_default();
        let (includes, excludes) = (constraint("includes"), constraint("excludes"));
        let comment = fields.get("comment").and_then(|node| self.owned_text(&node));
        Some(Rule {
            names,
            action: action?,
            errno,
            conditions: conditions.into_iter().flatten().collect(),
            includes,
            excludes,
            comment,
        })
    }

    /// The names of a rule, or the one of its old form.
    fn names(&mut self, fields: &Fields<'_>, rule: &Node<'_>) -> Vec<String> {
        let old = fields.get("name").and_then(|node| self.owned_text(&node));
        // Go's readers do not tell an empty name from a missing one.
        let old = old.filter(|name| !name.is_empty());
        let listed = fields.get("names");
        match (old, listed) {
            (Some(name), None) => {
                self.remark(rule.path.clone(), Oddity::OldName);
                vec![name]
            }
            (Some(name), Some(node)) if !matches!(node.value, JsonValue::List(list) if list.is_empty()) =>
            {
                self.add(fields.path("name"), ErrorKind::NameAsWell { name });
                Vec::new()
            }
            (Some(name), Some(_)) => {
                self.remark(rule.path.clone(), Oddity::OldName);
                vec![name]
            }
            (None, Some(node)) => self.listed_names(&node),
            (None, None) => {
                let consumers =
                    "containerd and runc take the rule for an empty one, silently, crun refuses it";
                let right = "\"names\": [\"read\"]";
                self.add(fields.path("names"), ErrorKind::Missing { right, consumers });
                Vec::new()
            }
        }
    }

    fn listed_names(&mut self, node: &Node<'_>) -> Vec<String> {
        let before = self.errors.len();
        let items = self.list(node);
        if items.is_empty() && self.errors.len() == before {
            self.add(node.path.clone(), ErrorKind::NoNames);
        }
        items.iter().filter_map(|item| self.name(item)).collect()
    }

    fn name(&mut self, node: &Node<'_>) -> Option<String> {
        let name = self.owned_text(node)?;
        if name.is_empty() {
            self.add(node.path.clone(), ErrorKind::EmptyName);
        }
        Some(name)
    }

    fn required<'a>(
        &mut self,
        fields: &Fields<'a>,
        key: &str,
        right: &'static str,
        consumers: &'static str,
    ) -> Option<Node<'a>> {
        let node = fields.get(key);
        if node.is_none() {
            self.add(fields.path(key), ErrorKind::Missing { right, consumers });
        }
        node
    }

    fn condition(&mut self, node: &Node<'_>) -> Option<Condition> {
        const ZERO: &str = "crun refuses it, the others read 0";
        let fields = self.fields(node, &CONDITION, &[])?;
        let index = self.required(&fields, "index", "\"index\": 0", ZERO);
        let index = index.and_then(|node| self.index(&node));
        let value = self.required(&fields, "value", "\"value\": 0", ZERO);
        let value = value.and_then(|node| self.number(&node));
        let value_two = fields.get("valueTwo").map_or(Some(0), |node| self.number(&node));
        let operator = self.required(&fields, "op", "\"op\": \"SCMP_CMP_EQ\"", NOBODY);
        let operator = operator.and_then(|node| self.operator(&node));
        Some(Condition { index: index?, value: value?, value_two: value_two?, operator: operator? })
    }

    fn index(&mut self, node: &Node<'_>) -> Option<u8> {
        let found = self.number(node)?;
        let index = u8::try_from(found).ok().filter(|index| *index < 6);
        if index.is_none() {
            self.add(node.path.clone(), ErrorKind::ArgumentIndex { found });
        }
        index
    }

    fn operator(&mut self, node: &Node<'_>) -> Option<Operator> {
        let found = self.text(node)?;
        let known = OPERATORS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(node.path.clone(), ErrorKind::Operator { found: found.to_owned() });
        }
        known.map(|(_, operator)| *operator)
    }

    fn constraint(&mut self, node: &Node<'_>) -> Constraint {
        let Some(fields) = self.fields(node, &CONSTRAINT, &[]) else {
            return Constraint::default();
        };
        let caps = fields.get("caps").map(|node| self.list(&node)).unwrap_or_default();
        let arches = fields.get("arches").map(|node| self.list(&node)).unwrap_or_default();
        Constraint {
            capabilities: caps.iter().filter_map(|node| self.capability(node)).collect(),
            architectures: arches.iter().filter_map(|node| self.go_architecture(node)).collect(),
            min_kernel: fields.get("minKernel").and_then(|node| self.min_kernel(&node)),
        }
    }

    fn capability(&mut self, node: &Node<'_>) -> Option<Capability> {
        let found = self.text(node)?;
        let known = Capability::from_name(found);
        if known.is_none() {
            self.add(node.path.clone(), ErrorKind::Capability { found: found.to_owned() });
        }
        known
    }

    fn go_architecture(&mut self, node: &Node<'_>) -> Option<String> {
        let found = self.text(node)?;
        if found.starts_with("SCMP_ARCH_") || matches!(found, "x86_64" | "i386" | "aarch64") {
            self.add(node.path.clone(), ErrorKind::GoArchitecture { found: found.to_owned() });
            return None;
        }
        Some(found.to_owned())
    }

    fn min_kernel(&mut self, node: &Node<'_>) -> Option<(u32, u32)> {
        let found = self.text(node)?;
        let numbers = found.split_once('.');
        let numbers = numbers.and_then(|(one, two)| Some((one.parse().ok()?, two.parse().ok()?)));
        if numbers.is_none() {
            self.add(node.path.clone(), ErrorKind::MinKernel { found: found.to_owned() });
        }
        numbers
    }
}
