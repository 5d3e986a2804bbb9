//! The conditions of a statement: an operator, a key, values (IAM User Guide, "IAM JSON policy elements:
//! Condition operators" and "Multivalued context keys"). It knows no service's keys.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use super::{Keys, like};

/// One key of one operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    test: Test,
    negated: bool,
    if_exists: bool,
    set: Option<Set>,
    /// In lower case: keys have none.
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
    Numeric(&'static [Ordering]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    ForAllValues,
    ForAnyValue,
}

impl Condition {
    /// The operator by its name, with no key yet.
    pub(super) fn operator(name: &str) -> Result<Condition, String> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::ForAnyValue), rest),
            _ => (None, name),
        };
        let (rest, if_exists) =
            rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let (test, negated) = match rest {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "NumericEquals" => (Test::Numeric(&[Equal]), false),
            "NumericNotEquals" => (Test::Numeric(&[Equal]), true),
            "NumericLessThan" => (Test::Numeric(&[Less]), false),
            "NumericLessThanEquals" => (Test::Numeric(&[Less, Equal]), false),
            "NumericGreaterThan" => (Test::Numeric(&[Greater]), false),
            "NumericGreaterThanEquals" => (Test::Numeric(&[Greater, Equal]), false),
            "Bool" => (Test::Bool, false),
            "Null" => (Test::Null, false),
            _ => {
                return Err(format!(
                    "`Condition`: the operator {name:?} is not one of StringEquals, StringLike, ArnEquals, ArnLike, Numeric…, Bool, Null, their negations, with ForAllValues:, ForAnyValue: or IfExists"
                ));
            }
        };
        Ok(Condition { test, negated, if_exists, set, key: String::new(), values: Vec::new() })
    }

    /// The same operator on a key.
    pub(super) fn on(&self, key: &str, values: Vec<String>) -> Condition {
        Condition { key: key.to_lowercase(), values, ..self.clone() }
    }

    pub(super) fn holds(&self, keys: &Keys) -> bool {
        let found = keys.get(&self.key).map(Vec::as_slice).unwrap_or_default();
        if self.test == Test::Null {
            let absent = if found.is_empty() { "true" } else { "false" };
            return self.values.iter().any(|value| value == absent);
        }
        if found.is_empty() {
            // A key that is not there fits no value: it fails what wants one, and passes what forbids some.
            return match self.set {
                Some(Set::ForAllValues) => true,
                Some(Set::ForAnyValue) => self.if_exists,
                None => self.if_exists || self.negated,
            };
        }
        let fits = |found: &String| {
            self.values.iter().any(|value| self.test.fits(value, found)) != self.negated
        };
        match self.set {
            Some(Set::ForAllValues) => found.iter().all(fits),
            _ => found.iter().any(fits),
        }
    }
}

impl Test {
    fn fits(self, value: &str, found: &str) -> bool {
        match self {
            Test::Equals => value == found,
            Test::EqualsIgnoreCase => value.to_lowercase() == found.to_lowercase(),
            Test::Like => like(value, found),
            Test::Arn => arn(value, found),
            Test::Bool => value.eq_ignore_ascii_case(found),
            Test::Null => false,
            Test::Numeric(wanted) => match (found.parse::<f64>(), value.parse()) {
                (Ok(found), Ok(value)) => {
                    found.partial_cmp(&value).is_some_and(|order| wanted.contains(&order))
                }
                _ => false,
            },
        }
    }
}

/// The six parts of an ARN are compared one by one.
fn arn(pattern: &str, found: &str) -> bool {
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, found) = (parts(pattern), parts(found));
    pattern.len() == found.len() && pattern.iter().zip(&found).all(|(one, text)| like(one, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, values: &[&str], found: &[&str]) -> bool {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let condition = Condition::operator(operator).expect(operator);
        let condition = Condition { key: "k".into(), values: texts(values), ..condition };
        let keys = if found.is_empty() { Keys::new() } else { [("k".into(), texts(found))].into() };
        condition.holds(&keys)
    }

    #[test]
    fn operators() {
        let cluster = "arn:aws:ecs:eu-central-1:1:cluster/shop";
        for (operator, values, found, expected) in [
            ("StringEquals", &["a", "b"][..], &["b"][..], true),
            ("StringEquals", &["a*"], &["ab"], false),
            ("StringEquals", &["a"], &[], false),
            ("StringEqualsIfExists", &["a"], &[], true),
            ("StringNotEquals", &["a"], &[], true),
            ("StringNotEquals", &["a", "b"], &["b"], false),
            ("StringLike", &["a*"], &["ab"], true),
            ("StringNotLike", &["a*"], &["ab"], false),
            ("StringEqualsIgnoreCase", &["A"], &["a"], true),
            ("ArnLike", &["arn:aws:ecs:*:1:cluster/*"], &[cluster], true),
            ("ArnEquals", &["arn:aws:ecs:*:1:cluster/s?op"], &[cluster], true),
            ("ArnLike", &["arn:*:cluster/*"], &[cluster], false),
            ("ArnNotLike", &["arn:aws:ecs:*:1:cluster/*"], &[cluster], false),
            ("Bool", &["true"], &["True"], true),
            ("Bool", &["false"], &["true"], false),
            ("Null", &["true"], &[], true),
            ("Null", &["true"], &["x"], false),
            ("NumericLessThanEquals", &["1024"], &["512"], true),
            ("NumericGreaterThan", &["1024"], &["512"], false),
            ("ForAllValues:StringEquals", &["a", "b"], &["a", "b"], true),
            ("ForAllValues:StringEquals", &["a"], &["a", "b"], false),
            ("ForAllValues:StringEquals", &["a"], &[], true),
            ("ForAnyValue:StringEquals", &["a"], &["a", "b"], true),
            ("ForAnyValue:StringEquals", &["a"], &[], false),
        ] {
            assert_eq!(holds(operator, values, found), expected, "{operator} {values:?} {found:?}");
        }
    }
}
