//! What two configurations differ in, by name: for a reload, which says what it took and what waits
//! for a restart. Values are never told, since some are secrets.

use toml::Value;

use super::Config;

/// Options of a site that a running server takes over.
const OF_SITES: [&str; 3] = ["origins", "widget", "jwt"];

impl Config {
    /// Names of the options that differ from `other`'s: `auth.keys`, `llm.model`,
    /// `sites[shop].origins`. A site that only one of the two has is named as a whole.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut names = Vec::new();
        let (one, two) = (toml::Table::try_from(self), toml::Table::try_from(other));
        let (Ok(one), Ok(two)) = (one, two) else { return names };
        for section in one.keys().chain(two.keys().filter(|key| !one.contains_key(*key))) {
            match (one.get(section), two.get(section)) {
                (Some(Value::Table(one)), Some(Value::Table(two))) => {
                    compare(section, one, two, &mut names)
                }
                (Some(Value::Array(one)), Some(Value::Array(two))) if section == "sites" => {
                    compare_sites(one, two, &mut names);
                }
                (one, two) if one == two => {}
                _ => names.push(section.clone()),
            }
        }
        names
    }

    /// Whether a running server takes a changed option over; see [`Config::differences`].
    #[must_use]
    pub fn is_taken(name: &str) -> bool {
        let of_site = name.strip_prefix("sites[").and_then(|rest| rest.split_once("]."));
        name == "auth.keys" || of_site.is_some_and(|(_, option)| OF_SITES.contains(&option))
    }

    /// Takes over from `new` what a running server can.
    pub fn take(&mut self, new: &Self) {
        self.auth.keys.clone_from(&new.auth.keys);
        for site in &mut self.sites {
            let Some(new) = new.sites.iter().find(|new| new.id == site.id) else { continue };
            site.origins.clone_from(&new.origins);
            site.widget = new.widget.clone();
            site.jwt.clone_from(&new.jwt);
        }
    }
}

fn compare(section: &str, one: &toml::Table, two: &toml::Table, names: &mut Vec<String>) {
    let keys = one.keys().chain(two.keys().filter(|key| !one.contains_key(*key)));
    let differ = keys.filter(|key| one.get(*key) != two.get(*key));
    names.extend(differ.map(|key| format!("{section}.{key}")));
}

fn compare_sites(one: &[Value], two: &[Value], names: &mut Vec<String>) {
    let id = |site: &Value| site.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    for site in one {
        let name = format!("sites[{}]", id(site));
        match (
            site.as_table(),
            two.iter().find(|other| id(other) == id(site)).and_then(Value::as_table),
        ) {
            (Some(site), Some(other)) => compare(&name, site, other, names),
            _ => names.push(name),
        }
    }
    let only = two.iter().filter(|site| one.iter().all(|other| id(other) != id(site)));
    names.extend(only.map(|site| format!("sites[{}]", id(site))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        Config::parse(text, []).unwrap()
    }

    #[test]
    fn differences_are_named_by_option_and_site() {
        let old = read(
            "[[sites]]\nid = \"shop\"\norigins = [\"https://a.example\"]\n[[sites]]\nid = \"bank\"\n",
        );
        let new = read(
            "[llm]\nmax_tokens = 99\n[[sites]]\nid = \"park\"\n[[sites]]\nid = \"shop\"\n\
             origins = [\"https://b.example\"]\n[sites.widget]\ntitle = \"Hello\"\n",
        );
        assert_eq!(old.differences(&old), Vec::<String>::new());
        let names = old.differences(&new);
        let expected = [
            "llm.max_tokens",
            "sites[shop].origins",
            "sites[shop].widget",
            "sites[bank]",
            "sites[park]",
        ];
        assert_eq!(names, expected);
        let taken: Vec<&str> = expected.into_iter().filter(|name| Config::is_taken(name)).collect();
        assert_eq!(taken, ["sites[shop].origins", "sites[shop].widget"]);
    }

    #[test]
    fn what_was_taken_differs_no_more_and_the_rest_still_does() {
        let mut running = read("[[sites]]\nid = \"shop\"\n");
        let key = format!(
            "[[auth.keys]]\nname = \"a\"\nsha256 = \"{}\"\nscopes = [\"chat\"]\n",
            "0".repeat(64)
        );
        let new = read(&format!(
            "{key}[[sites]]\nid = \"shop\"\nname = \"Shop\"\norigins = [\"https://b.example\"]\n"
        ));
        assert_eq!(
            running.differences(&new),
            ["auth.keys", "sites[shop].name", "sites[shop].origins"]
        );
        running.take(&new);
        assert_eq!(running.differences(&new), ["sites[shop].name"]);
    }
}
