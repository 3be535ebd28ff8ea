//! Countries, zones and cities by their names. Pure.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Area;
use crate::language::script::is_han;

pub(super) struct Country {
    continents: &'static str,
    groups: &'static str,
}

pub(super) struct Atlas {
    pub(super) countries: HashMap<&'static str, Country>,
    pub(super) zones: Vec<Vec<&'static str>>,
    /// By folded name.
    pub(super) names: HashMap<String, Area>,
    /// What a folded name is in English, where that is another.
    pub(super) english: HashMap<String, &'static str>,
    /// Longest name in Chinese, in characters.
    pub(super) longest: usize,
}

impl Atlas {
    /// Whether a zone holds a country; `None` where the country lies on its border.
    pub(super) fn holds(&self, zone: usize, code: &str) -> Option<bool> {
        let whole = parent(code).unwrap_or(code);
        let mut open = false;
        for member in self.zones.get(zone)? {
            let country = self.countries.get(whole)?;
            if *member == "*" || *member == code || *member == whole {
                return Some(true);
            }
            if let Some(group) = member.strip_prefix('@')
                && country.groups.split(' ').any(|own| own == group)
            {
                // The Canary Islands are in the Union and outside its VAT area: shops differ.
                return if code == whole { Some(true) } else { None };
            }
            if let Some(continent) = member.strip_prefix('+') {
                let continents = self.countries.get(code).unwrap_or(country).continents;
                if continents == continent {
                    return Some(true);
                }
                open |= continents.split(' ').any(|own| own == continent);
            }
        }
        (!open).then_some(false)
    }

    /// English comes first among the names of a place.
    fn learn_english(&mut self, names: &'static str) {
        let Some(english) = names.split('|').next() else { return };
        for name in names.split('|').skip(1) {
            self.english.entry(folded(name)).or_insert(english);
        }
    }

    /// How many countries a zone holds; `None` for the whole world.
    pub(super) fn size(&self, zone: usize) -> Option<usize> {
        let members = self.zones.get(zone)?;
        let all = || {
            self.countries
                .keys()
                .filter(|code| parent(code).is_none() && self.holds(zone, code) == Some(true))
                .count()
        };
        (!members.contains(&"*")).then(all)
    }
}

pub(super) static ATLAS: LazyLock<Atlas> = LazyLock::new(|| {
    let rows =
        |text: &'static str| text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut atlas = Atlas {
        countries: HashMap::new(),
        zones: Vec::new(),
        names: HashMap::new(),
        english: HashMap::new(),
        longest: 0,
    };
    // Later names don't replace earlier ones: a country goes before a zone, a zone before a city.
    for row in rows(include_str!("../data/countries.tsv")) {
        let mut fields = row.split('\t');
        let (Some(code), Some(_), Some(continents), Some(groups), Some(names)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        atlas.countries.insert(code, Country { continents, groups });
        for name in names.split('|') {
            atlas.names.entry(folded(name)).or_insert(Area::Country(code));
        }
        atlas.learn_english(names);
    }
    for row in rows(include_str!("../data/zones.tsv")) {
        let Some((names, members)) = row.split_once('\t') else { continue };
        let zone = atlas.zones.len();
        atlas.zones.push(members.split(' ').collect());
        for name in names.split('|') {
            atlas.names.entry(folded(name)).or_insert(Area::Zone(zone));
        }
        atlas.learn_english(names);
    }
    for row in rows(include_str!("../data/cities.tsv")) {
        let Some((code, names)) = row.split_once('\t') else { continue };
        for name in names.split('|') {
            match atlas.names.entry(folded(name)).or_insert_with(|| Area::City(Vec::new())) {
                Area::City(codes) if !codes.contains(&code) => codes.push(code),
                _ => {}
            }
        }
        atlas.learn_english(names);
    }
    let han = atlas.names.keys().filter(|name| name.starts_with(is_han));
    atlas.longest = han.map(|name| name.chars().count()).max().unwrap_or(0);
    atlas
});

/// The country that a part of one belongs to.
pub(super) fn parent(code: &str) -> Option<&str> {
    code.split_once('-').map(|(country, _)| country)
}

/// A name as it is looked up: lower-case, without accents, one space between words.
pub(super) fn folded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => out.push('o'),
            'ř' => out.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => out.push('s'),
            'ț' | 'ţ' | 'ť' => out.push('t'),
            'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            'ß' => out.push_str("ss"),
            '.' => {}
            '’' | '\'' | '-' | ' ' | '\u{a0}' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}
