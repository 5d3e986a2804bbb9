//! Rules as Elastic Load Balancing writes and reads them: its XML flattened into query parameters,
//! generically, so that a rule goes back as it came but for what we change.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::model::world::{Entry, Rule};
use crate::plan::setup::RuleSettings;

/// A list of `(path, text)` of all leaves below one element, paths in the query protocol's way:
/// `Rules.member.1.Actions.member.2.Type`.
pub(super) fn flatten(xml: &str) -> Result<Vec<(String, String)>, quick_xml::Error> {
    let mut reader = Reader::from_str(xml);
    // Each open element: its path, how many `member`s it had, its text, whether it has children.
    let mut open: Vec<(String, usize, String, bool)> = Vec::new();
    let mut leaves = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(leaves),
            Event::Start(start) => {
                let element = enter(&mut open, start.local_name().as_ref());
                open.push(element);
            }
            Event::Empty(start) => {
                let (path, ..) = enter(&mut open, start.local_name().as_ref());
                leaves.push((path, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, _, inside, _)) = open.last_mut() {
                    inside.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(entity) => {
                if let Some((_, _, inside, _)) = open.last_mut() {
                    match entity.resolve_char_ref()? {
                        Some(character) => inside.push(character),
                        None => inside.push_str(
                            quick_xml::escape::resolve_predefined_entity(&entity.xml10_content())
                                .unwrap_or_default(),
                        ),
                    }
                }
            }
            Event::End(_) => {
                if let Some((path, _, text, children)) = open.pop()
                    && !children
                {
                    leaves.push((path, text));
                }
            }
            _ => {}
        }
    }
}

fn enter(open: &mut [(String, usize, String, bool)], name: &str) -> (String, usize, String, bool) {
    let path = match open.last_mut() {
        None => String::new(),
        Some((path, members, _, children)) => {
            *children = true;
            let segment = match name {
                // Lists have members, maps have entries.
                "member" | "entry" | "item" => {
                    *members += 1;
                    format!("{name}.{members}")
                }
                name => name.to_owned(),
            };
            match path.as_str() {
                "" => segment,
                path => format!("{path}.{segment}"),
            }
        }
    };
    (path, 0, String::new(), false)
}

/// The rules of an answer to DescribeRules or ModifyRule. `place` says of an ARN and a priority how people
/// call the rule, and where requests reach it.
pub(super) fn rules(
    xml: &str,
    result: &str,
    place: impl Fn(&str, &str) -> (String, Option<Entry>),
) -> Result<Vec<Rule>, quick_xml::Error> {
    let leaves = flatten(xml)?;
    let list = format!("{result}.Rules.");
    Ok(members(&leaves, &list)
        .into_iter()
        .map(|leaves| {
            let get = |key: &str| leaves.iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v);
            let arn = get("RuleArn").to_owned();
            let is_default = get("IsDefault") == "true";
            let (name, entry) = place(&arn, get("Priority"));
            Rule {
                listener: listener_of(&arn),
                entry,
                name,
                is_default,
                actions: below(&leaves, "Actions."),
                arn,
            }
        })
        .collect())
}

/// The rules of an answer to DescribeRules, with all that another rule with their conditions needs.
pub(super) fn settings(xml: &str) -> Result<Vec<RuleSettings>, quick_xml::Error> {
    let leaves = flatten(xml)?;
    let rules = members(&leaves, "DescribeRulesResult.Rules.").into_iter();
    Ok(rules
        .map(|leaves| {
            let get = |key: &str| leaves.iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v);
            let kept = leaves.iter().filter(|(path, _)| {
                path.starts_with("Conditions.member.") || path.starts_with("Transforms.member.")
            });
            let kept = kept.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
            RuleSettings {
                arn: get("RuleArn").to_owned(),
                priority: get("Priority").parse().ok(),
                members: kept.collect(),
            }
        })
        .collect())
}

/// The default actions of a listener, from an answer to ModifyListener.
pub(super) fn default_actions(xml: &str) -> Result<Vec<(String, String)>, quick_xml::Error> {
    let leaves = flatten(xml)?;
    let listeners = members(&leaves, "ModifyListenerResult.Listeners.");
    Ok(listeners.first().map(|leaves| below(leaves, "DefaultActions.")).unwrap_or_default())
}

/// The leaves of each member of a list.
pub(super) fn members<'a>(
    leaves: &'a [(String, String)],
    list: &str,
) -> Vec<Vec<(&'a str, &'a str)>> {
    let mut members: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for (path, text) in leaves {
        let Some((kind, rest)) = path.strip_prefix(list).and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        // Amazon EC2 has items.
        if !matches!(kind, "member" | "item") {
            continue;
        }
        let Some((number, rest)) = rest.split_once('.') else { continue };
        if members.last().is_none_or(|(last, _)| *last != number) {
            members.push((number, Vec::new()));
        }
        if let Some((_, leaves)) = members.last_mut() {
            leaves.push((rest, text));
        }
    }
    members.into_iter().map(|(_, leaves)| leaves).collect()
}

/// The text of one of these leaves.
pub(super) fn get<'a>(leaves: &[(&str, &'a str)], path: &str) -> Option<&'a str> {
    leaves.iter().find(|(own, _)| *own == path).map(|(_, text)| *text)
}

/// The same leaves, in which lists can be looked for.
pub(super) fn owned(leaves: &[(&str, &str)]) -> Vec<(String, String)> {
    leaves.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn below(leaves: &[(&str, &str)], prefix: &str) -> Vec<(String, String)> {
    leaves
        .iter()
        .filter_map(|(path, text)| {
            Some((path.strip_prefix(prefix)?.to_owned(), (*text).to_owned()))
        })
        .collect()
}

/// A rule's ARN holds its listener's: `listener-rule/app/X/Y/Z/W` is a rule of `listener/app/X/Y/Z`.
pub(super) fn listener_of(rule: &str) -> String {
    let listener = rule.rsplit_once('/').map_or(rule, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

/// The form body of a query request.
pub(super) fn form(operation: &str, parameters: &[(String, String)]) -> String {
    versioned(operation, "2015-12-01", parameters)
}

/// The same for the API of another service.
pub(super) fn versioned(operation: &str, version: &str, parameters: &[(String, String)]) -> String {
    let mut body = format!("Action={operation}&Version={version}");
    for (key, value) in parameters {
        body += &format!("&{}={}", encode(key), encode(value));
    }
    body
}

/// What a form leaves as it is (RFC 3986, unreserved characters).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, UNRESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<DescribeRulesResponse xmlns="x"><DescribeRulesResult><Rules><member>
        <RuleArn>arn:aws:elasticloadbalancing:r:1:listener-rule/app/shop/a/b/c</RuleArn><Priority>10</Priority>
        <Conditions/><Actions><member><Type>forward</Type><Params><entry><key>a</key><value>1</value></entry>
        <entry><key>b</key><value>2</value></entry></Params><Order>1</Order><ForwardConfig><TargetGroups>
        <member><TargetGroupArn>a</TargetGroupArn><Weight>1</Weight><NewKnob>x &amp; &#121;</NewKnob></member>
        <member><TargetGroupArn>b</TargetGroupArn><Weight>0</Weight></member></TargetGroups></ForwardConfig></member>
        </Actions><IsDefault>false</IsDefault></member></Rules></DescribeRulesResult></DescribeRulesResponse>"#;

    #[test]
    fn a_rule_keeps_members_that_nobody_knows() {
        let rules =
            rules(ANSWER, "DescribeRulesResult", |_, priority| (format!("p{priority}"), None))
                .unwrap();
        assert_eq!(rules.len(), 1);
        let rule = &rules[0];
        assert_eq!(rule.listener, "arn:aws:elasticloadbalancing:r:1:listener/app/shop/a/b");
        assert_eq!((rule.name.as_str(), rule.is_default), ("p10", false));
        let text: Vec<_> = rule.actions.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            text,
            [
                "member.1.Type=forward",
                "member.1.Params.entry.1.key=a",
                "member.1.Params.entry.1.value=1",
                "member.1.Params.entry.2.key=b",
                "member.1.Params.entry.2.value=2",
                "member.1.Order=1",
                "member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=a",
                "member.1.ForwardConfig.TargetGroups.member.1.Weight=1",
                "member.1.ForwardConfig.TargetGroups.member.1.NewKnob=x & y",
                "member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn=b",
                "member.1.ForwardConfig.TargetGroups.member.2.Weight=0",
            ]
        );
    }

    #[test]
    fn a_form_is_percent_encoded() {
        let body = form("ModifyRule", &[("RuleArn".into(), "a:b/c d&e=ü".into())]);
        assert_eq!(body, "Action=ModifyRule&Version=2015-12-01&RuleArn=a%3Ab%2Fc%20d%26e%3D%C3%BC");
    }
}
