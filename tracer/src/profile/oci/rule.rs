//! Reads the rules of a profile: names, conditions on arguments, and where they count.

use super::{
    Condition, Constraint, Fault, OPERATORS, Operator, Rule,
    fields::{Fields, Notes, Place},
    remark::Oddity,
    tree::Tree,
};
use crate::profile::capability::Capability;

const RULE: [&str; 7] = ["names", "action", "errnoRet", "args", "comment", "includes", "excludes"];
const CONDITION: [&str; 4] = ["index", "value", "valueTwo", "op"];
const CONSTRAINT: [&str; 3] = ["caps", "arches", "minKernel"];
const NOBODY: &str = "no runtime accepts a profile without";

impl Notes {
    pub(super) fn rule(&mut self, place: &Place<'_>) -> Option<Rule> {
        let fields = self.fields(place, &RULE, &["name", "errno"])?;
        let names = self.names(&fields, place);
        let action = self.required(&fields, "action", "\"action\": \"SCMP_ACT_ALLOW\"", NOBODY);
        let action = action.and_then(|place| self.action(&place));
        let errno = self.errno(&fields, ["errnoRet", "errno"], action);
        let conditions = fields.get("args").map(|place| self.list(&place)).unwrap_or_default();
        let conditions: Vec<_> = conditions.iter().map(|place| self.condition(place)).collect();
        let mut constraint =
            |key| fields.get(key).map(|place| self.constraint(&place)).unwrap_or_default();
        let (includes, excludes) = (constraint("includes"), constraint("excludes"));
        let comment = fields.get("comment").and_then(|place| self.owned_text(&place));
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
    fn names(&mut self, fields: &Fields<'_>, rule: &Place<'_>) -> Vec<String> {
        let old = fields.get("name").and_then(|place| self.owned_text(&place));
        // Go's readers do not tell an empty name from a missing one.
        let old = old.filter(|name| !name.is_empty());
        let listed = fields.get("names");
        match (old, listed) {
            (Some(name), None) => {
                self.remark(rule.path.clone(), Oddity::OldName);
                vec![name]
            }
            (Some(name), Some(place)) if !matches!(place.tree, Tree::List(list) if list.is_empty()) =>
            {
                self.add(fields.path("name"), Fault::NameAsWell { name });
                Vec::new()
            }
            (Some(name), Some(_)) => {
                self.remark(rule.path.clone(), Oddity::OldName);
                vec![name]
            }
            (None, Some(place)) => self.listed_names(&place),
            (None, None) => {
                let consumers =
                    "containerd and runc take the rule for an empty one, silently, crun refuses it";
                let right = "\"names\": [\"read\"]";
                self.add(fields.path("names"), Fault::Missing { right, consumers });
                Vec::new()
            }
        }
    }

    fn listed_names(&mut self, place: &Place<'_>) -> Vec<String> {
        let before = self.problems.len();
        let items = self.list(place);
        if items.is_empty() && self.problems.len() == before {
            self.add(place.path.clone(), Fault::NoNames);
        }
        items.iter().filter_map(|item| self.name(item)).collect()
    }

    fn name(&mut self, place: &Place<'_>) -> Option<String> {
        let name = self.owned_text(place)?;
        if name.is_empty() {
            self.add(place.path.clone(), Fault::EmptyName);
        }
        Some(name)
    }

    fn required<'a>(
        &mut self,
        fields: &Fields<'a>,
        key: &str,
        right: &'static str,
        consumers: &'static str,
    ) -> Option<Place<'a>> {
        let place = fields.get(key);
        if place.is_none() {
            self.add(fields.path(key), Fault::Missing { right, consumers });
        }
        place
    }

    fn condition(&mut self, place: &Place<'_>) -> Option<Condition> {
        const ZERO: &str = "crun refuses it, the others read 0";
        let fields = self.fields(place, &CONDITION, &[])?;
        let index = self.required(&fields, "index", "\"index\": 0", ZERO);
        let index = index.and_then(|place| self.index(&place));
        let value = self.required(&fields, "value", "\"value\": 0", ZERO);
        let value = value.and_then(|place| self.number(&place));
        let value_two = fields.get("valueTwo").map_or(Some(0), |place| self.number(&place));
        let operator = self.required(&fields, "op", "\"op\": \"SCMP_CMP_EQ\"", NOBODY);
        let operator = operator.and_then(|place| self.operator(&place));
        Some(Condition { index: index?, value: value?, value_two: value_two?, operator: operator? })
    }

    fn index(&mut self, place: &Place<'_>) -> Option<u8> {
        let found = self.number(place)?;
        let index = u8::try_from(found).ok().filter(|index| *index < 6);
        if index.is_none() {
            self.add(place.path.clone(), Fault::ArgumentIndex { found });
        }
        index
    }

    fn operator(&mut self, place: &Place<'_>) -> Option<Operator> {
        let found = self.text(place)?;
        let known = OPERATORS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Operator { found: found.to_owned() });
        }
        known.map(|(_, operator)| *operator)
    }

    fn constraint(&mut self, place: &Place<'_>) -> Constraint {
        let Some(fields) = self.fields(place, &CONSTRAINT, &[]) else {
            return Constraint::default();
        };
        let caps = fields.get("caps").map(|place| self.list(&place)).unwrap_or_default();
        let arches = fields.get("arches").map(|place| self.list(&place)).unwrap_or_default();
        Constraint {
            capabilities: caps.iter().filter_map(|place| self.capability(place)).collect(),
            architectures: arches.iter().filter_map(|place| self.go_architecture(place)).collect(),
            min_kernel: fields.get("minKernel").and_then(|place| self.min_kernel(&place)),
        }
    }

    fn capability(&mut self, place: &Place<'_>) -> Option<Capability> {
        let found = self.text(place)?;
        let known = Capability::from_name(found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Capability { found: found.to_owned() });
        }
        known
    }

    fn go_architecture(&mut self, place: &Place<'_>) -> Option<String> {
        let found = self.text(place)?;
        if found.starts_with("SCMP_ARCH_") || matches!(found, "x86_64" | "i386" | "aarch64") {
            self.add(place.path.clone(), Fault::GoArchitecture { found: found.to_owned() });
            return None;
        }
        Some(found.to_owned())
    }

    fn min_kernel(&mut self, place: &Place<'_>) -> Option<(u32, u32)> {
        let found = self.text(place)?;
        let numbers = found.split_once('.');
        let numbers = numbers.and_then(|(one, two)| Some((one.parse().ok()?, two.parse().ok()?)));
        if numbers.is_none() {
            self.add(place.path.clone(), Fault::MinKernel { found: found.to_owned() });
        }
        numbers
    }
}
