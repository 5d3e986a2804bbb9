//! Pages: `PageSize` (1 to 400) and `Marker` in, `NextMarker` out.

use serde_json::{Map, Value, json};

use crate::protocol::{
    Fault, paging,
    query::{Answer, text},
};

/// One page of what was found, as the member `name`; each item is known by its ARN.
pub(super) fn page(request: &Map<String, Value>, name: &str, found: Vec<Value>) -> Answer {
    page_by(request, name, &format!("{}Arn", name.trim_end_matches('s')), found)
}

/// The same; each item is known by this member.
pub(super) fn page_by(
    request: &Map<String, Value>,
    name: &str,
    member: &str,
    found: Vec<Value>,
) -> Answer {
    let size = text(request, "PageSize").map(str::parse::<i64>).and_then(Result::ok).unwrap_or(400);
    let size = match usize::try_from(size) {
        Ok(size @ 1..=400) => size,
        _ => {
            return Err(Fault::validation(format!(
                "1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and 400"
            )));
        }
    };
    let key = |item: Value| (item[member].as_str().unwrap_or_default().to_owned(), item);
    let page = paging::page(found.into_iter().map(key).collect(), text(request, "Marker"), size)
        .ok_or_else(|| Fault::validation("The marker is not valid"))?;
    let mut answer = Map::new();
    answer.insert(name.to_owned(), page.items.into());
    if let Some(next) = page.next {
        answer.insert("NextMarker".to_owned(), json!(next));
    }
    Ok(answer)
}

/// Refuses to describe more than 20 of something that is named.
pub(super) fn at_most_20(named: &[String], what: &str) -> Result<(), Fault> {
    match named.len() {
        0..=20 => Ok(()),
        _ => Err(Fault::validation(format!("You cannot describe more than '20' {what} at a time"))),
    }
}
