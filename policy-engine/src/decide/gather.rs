//! Which rules have to be asked.
//!
//! Law: a rule is left aside only if the value it is filed under is known and another. Asking too many costs time;
//! missing one would cost the policy.

use super::context::Context;
use crate::rules::condition::{Attribute, Attributes, EndpointSide, Members, Set, Text, Value};
use crate::snapshot::{CompiledSnapshot, Filed, RuleBucket};

/// The rules that may hold for a request to one of these candidates, ascending by id, each once.
pub(super) fn gather(
    context: &Context<'_>,
    candidates: &[EndpointSide<'_>],
    tenant: u32,
    snapshot: &CompiledSnapshot,
) -> Vec<Filed> {
    let mut rules: Vec<Filed> = Vec::with_capacity(64);
    for bucket in snapshot.rules.buckets(tenant) {
        rules.extend_from_slice(&bucket.unanchored);
        for attribute in &bucket.filed {
            if is_of_endpoint(*attribute) {
                let sides = candidates.iter();
                sides.for_each(|side| look_up(bucket, *attribute, &context.sure(Some(side)), &mut rules));
            } else {
                look_up(bucket, *attribute, &context.sure(None), &mut rules);
                let declared = context.declared(None);
                declared.for_each(|believed| look_up(bucket, *attribute, &believed, &mut rules));
            }
        }
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Adds the rules filed under what an attribute is.
fn look_up(bucket: &RuleBucket, attribute: Attribute, of: &Attributes<'_>, rules: &mut Vec<Filed>) {
    match attribute {
        Attribute::Text(text) => match of.text(text) {
            Value::Known(symbol) => rules.extend_from_slice(bucket.under(attribute, symbol)),
            Value::Unknown => rules.extend_from_slice(bucket.under_unknown(attribute)),
            Value::Absent => {}
        },
        Attribute::Set(set) => match of.set(set) {
            Members::Known(symbols) => {
                symbols.iter().for_each(|symbol| rules.extend_from_slice(bucket.under(attribute, *symbol)));
            }
            Members::Unknown => rules.extend_from_slice(bucket.under_unknown(attribute)),
        },
        // Rules are never filed under a flag.
        Attribute::Flag(_) => {}
    }
}

fn is_of_endpoint(attribute: Attribute) -> bool {
    matches!(
        attribute,
        Attribute::Text(Text::EndpointName | Text::EndpointProvider)
            | Attribute::Set(Set::EndpointProcessingRegions | Set::EndpointStorageRegions)
    )
}
