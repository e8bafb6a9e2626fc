//! Worlds: a value for every attribute, as our attributes and as CEL variables.

use std::collections::HashMap;

use cel::Context;
use policy_engine::rules::condition::{
    Attribute, Attributes, Caller, Condition, EndpointSide, Flag, Interner, Members, ModelSide, RequestSide,
    Set, Symbol, Text, Truth, Value,
};
use proptest::prelude::*;

/// Four words each attribute may have.
pub(crate) fn words(attribute: Attribute) -> [&'static str; 4] {
    match attribute {
        Attribute::Text(Text::CallerCountry) => ["DE", "FR", "US", "CN"],
        Attribute::Text(Text::CallerRegion) => ["US-CA", "US-NY", "DE-BY", "CA-QC"],
        Attribute::Text(Text::CallerKind) => ["user", "service", "user", "service"],
        Attribute::Text(Text::NodeGeo) => ["eu", "us", "uk", "jp"],
        Attribute::Text(Text::Operation) | Attribute::Set(Set::ModelOperations) => {
            ["chat", "embed", "chat", "embed"]
        }
        Attribute::Text(Text::Purpose) => ["support", "it's \"x\"\n\\", "", "ä😀"],
        Attribute::Set(Set::SubjectJurisdictions) => ["EU", "UK", "US-CA", "DE"],
        Attribute::Set(Set::EndpointProcessingRegions | Set::EndpointStorageRegions) => {
            ["EU", "us-east-1", "DE", "global"]
        }
        Attribute::Set(Set::DataClasses) => ["EMAIL", "PHI", "special category", "support"],
        // Names overlap between attributes, so that comparing two attributes can hold.
        _ => ["acme", "research", "DE", "eu"],
    }
}

/// Everything that can be known. `None` in `texts` is known to be absent; `known` says what is known at all, in the
/// order of [`Attribute::all`].
#[derive(Debug, Clone)]
pub(crate) struct World {
    texts: Vec<Option<&'static str>>,
    sets: Vec<Vec<&'static str>>,
    flags: Vec<bool>,
    known: Vec<bool>,
}

/// A random world in which everything is known.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let texts: Vec<_> = Text::ALL
        .iter()
        .map(|text| {
            prop_oneof![4 => (0..4_usize).prop_map(Some), 1 => Just(None)]
                .prop_map(|at| at.map(|at| words(Attribute::Text(*text))[at]))
        })
        .collect();
    let sets: Vec<_> = Set::ALL
        .iter()
        .map(|set| proptest::sample::subsequence(words(Attribute::Set(*set)).to_vec(), 0..=4))
        .collect();
    let flags = proptest::collection::vec(any::<bool>(), Flag::ALL.len());
    let known = vec![true; Attribute::all().count()];
    (texts, sets, flags).prop_map(move |(texts, sets, flags)| World {
        texts,
        sets,
        flags,
        known: known.clone(),
    })
}

/// Which attributes are known.
pub(crate) fn knowns() -> impl Strategy<Value = Vec<bool>> {
    proptest::collection::vec(proptest::bool::weighted(0.6), Attribute::all().count())
}

impl World {
    /// The same world, with less known about it.
    pub(crate) fn forget(&self, known: &[bool]) -> World {
        World { known: known.to_vec(), ..self.clone() }
    }

    /// Whether an attribute is known and has none of these values.
    pub(crate) fn lacks(&self, attribute: Attribute, values: &[Symbol], interner: &Interner) -> bool {
        if !self.knows(attribute) {
            return false;
        }
        let has = |word: &&str| values.contains(&interner.symbol(word));
        match attribute {
            Attribute::Text(text) => !self.texts[text as usize].iter().any(&has),
            Attribute::Set(set) => !self.sets[set as usize].iter().any(&has),
            Attribute::Flag(_) => panic!("no anchor is on a flag"),
        }
    }

    fn knows(&self, attribute: Attribute) -> bool {
        let at = Attribute::all().position(|one| one == attribute).unwrap();
        self.known[at]
    }

    fn text(&self, text: Text, interner: &Interner) -> Value {
        match self.knows(Attribute::Text(text)) {
            true => {
                self.texts[text as usize].map_or(Value::Absent, |word| Value::Known(interner.symbol(word)))
            }
            false => Value::Unknown,
        }
    }

    fn flag(&self, flag: Flag) -> Truth {
        Truth::of(self.knows(Attribute::Flag(flag)).then_some(self.flags[flag as usize]))
    }

    /// Asks a condition.
    pub(crate) fn evaluate(&self, condition: &Condition, interner: &Interner) -> Truth {
        let text = |text| self.text(text, interner);
        let sets: Vec<Box<[Symbol]>> =
            self.sets.iter().map(|words| interner.members(words.iter().copied())).collect();
        let set = |set| match self.knows(Attribute::Set(set)) {
            true => Members::Known(&sets[set as usize]),
            false => Members::Unknown,
        };
        let caller = Caller {
            tenant: text(Text::CallerTenant),
            principal: text(Text::CallerPrincipal),
            kind: text(Text::CallerKind),
            country: text(Text::CallerCountry),
            region: text(Text::CallerRegion),
            teams: set(Set::CallerTeams),
            roles: set(Set::CallerRoles),
        };
        let model = ModelSide {
            name: text(Text::ModelName),
            licence: text(Text::ModelLicence),
            risk_class: text(Text::ModelRiskClass),
            operations: set(Set::ModelOperations),
        };
        let request = RequestSide {
            geo: text(Text::NodeGeo),
            purpose: text(Text::Purpose),
            operation: text(Text::Operation),
            stream: self.flag(Flag::Stream),
            jurisdictions: set(Set::SubjectJurisdictions),
            data_classes: set(Set::DataClasses),
            egress_tools: set(Set::EgressTools),
        };
        let endpoint = EndpointSide {
            name: text(Text::EndpointName),
            provider: text(Text::EndpointProvider),
            processing_regions: set(Set::EndpointProcessingRegions),
            storage_regions: set(Set::EndpointStorageRegions),
            trains_on_data: self.flag(Flag::TrainsOnData),
            dpa: self.flag(Flag::Dpa),
            baa: self.flag(Flag::Baa),
            zero_retention: self.flag(Flag::ZeroRetention),
        };
        let endpoint = Some(&endpoint);
        condition.evaluate(&Attributes { caller: &caller, model: &model, request: &request, endpoint })
    }

    /// The world as CEL variables: paths become maps in maps.
    pub(crate) fn cel(&self) -> Context<'static, 'static> {
        let texts = Text::ALL.iter().zip(&self.texts);
        let texts = texts.map(|(text, word)| (text.path(), word.map_or(cel::Value::Null, cel::Value::from)));
        let sets = Set::ALL.iter().zip(&self.sets);
        let sets = sets.map(|(set, words)| (set.path(), cel::Value::from(words.clone())));
        let flags = Flag::ALL.iter().zip(&self.flags).map(|(flag, on)| (flag.path(), cel::Value::Bool(*on)));
        let mut context = Context::default();
        for (name, value) in nest(texts.chain(sets).chain(flags).collect()) {
            context.add_variable_from_value(name, value);
        }
        context
    }
}

fn nest(paths: Vec<(&str, cel::Value)>) -> HashMap<String, cel::Value> {
    let mut here: HashMap<String, cel::Value> = HashMap::new();
    let mut below: HashMap<&str, Vec<(&str, cel::Value)>> = HashMap::new();
    for (path, value) in paths {
        match path.split_once('.') {
            Some((root, rest)) => below.entry(root).or_default().push((rest, value)),
            None => drop(here.insert(path.to_owned(), value)),
        }
    }
    here.extend(below.into_iter().map(|(root, paths)| (root.to_owned(), cel::Value::from(nest(paths)))));
    here
}
