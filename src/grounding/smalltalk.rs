//! Messages that ask nothing of the knowledge: greetings, thanks, goodbyes, "ok", and questions about the assistant itself. Pure.
//!
//! A message is small talk as a whole or not at all: "Hi, how much is the tent?" is a question. So every word of it must belong
//! to one of the phrases below, in English, German, French, Spanish or Chinese.

use std::sync::LazyLock;

/// What a message without a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Acknowledgement,
    Greeting,
    Thanks,
    Goodbye,
    /// Who or what answers, and what it can do.
    About,
}

/// A message that is small talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallTalk {
    pub kind: Kind,
    /// ISO 639-1 code, where its words are of one language only: "hi" is said in many.
    pub language: Option<&'static str>,
}

/// A longer message tells something, in Unicode scalar values.
const MAX_CHARS: usize = 80;

/// What a message is, if it is nothing but small talk.
#[must_use]
pub fn small_talk(message: &str) -> Option<SmallTalk> {
    if message.chars().count() > MAX_CHARS {
        return None;
    }
    let text = plain(message);
    if text.is_empty() {
        // A thumb up or a smile alone.
        let pictures = message.chars().any(is_picture) && !message.contains(['?', '？']);
        return pictures.then_some(SmallTalk { kind: Kind::Acknowledgement, language: None });
    }
    let (mut kind, mut language): (Option<Kind>, Option<&'static str>) = (None, None);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let phrase = phrases().iter().find(|phrase| starts(rest, phrase.text))?;
        rest = rest.get(phrase.text.len()..)?.trim_start();
        // What goes along tells the language where nothing else does.
        language = if phrase.kind.is_some() { phrase.language.or(language) } else { language.or(phrase.language) };
        kind = kind.max(phrase.kind);
    }
    kind.map(|kind| SmallTalk { kind, language })
}

/// Words in small letters, one space apart, without marks and pictures; letters drawn out ("hiiii") count once.
fn plain(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut run = 0;
    for c in message.chars().flat_map(char::to_lowercase) {
        let c = if c == '’' { '\'' } else { c };
        if !c.is_alphanumeric() && c != '\'' {
            if !text.ends_with(' ') && !text.is_empty() {
                text.push(' ');
            }
            run = 0;
            continue;
        }
        run = if text.ends_with(c) { run + 1 } else { 1 };
        if run > 2 && c.is_alphabetic() {
            if run == 3 {
                text.pop();
            }
            continue;
        }
        text.push(c);
    }
    text.trim_end().to_owned()
}

fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x2600..=0x27bf | 0x2b50 | 0x1f300..=0x1faff)
}

/// Whether a text begins with a phrase, at a border of words where its script has them.
fn starts(text: &str, phrase: &str) -> bool {
    text.strip_prefix(phrase).is_some_and(|rest| {
        phrase.ends_with(crate::language::is_unspaced) || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '\'')
    })
}

struct Phrase {
    text: &'static str,
    language: Option<&'static str>,
    /// None for what only goes along: "there", "for your help".
    kind: Option<Kind>,
}

/// The longest first: "thank you for your help" before "thank you".
fn phrases() -> &'static [Phrase] {
    static PHRASES_BY_LENGTH: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
        let mut phrases: Vec<Phrase> = PHRASES
            .iter()
            .flat_map(|(language, kind, texts)| {
                let language = (!language.is_empty()).then_some(*language);
                texts.split('|').map(move |text| Phrase { text: text.trim(), language, kind: *kind })
            })
            .collect();
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.text.len()));
        phrases
    });
    &PHRASES_BY_LENGTH
}

/// Language (empty where several use it), kind, and phrases between bars, as [`plain`] leaves them.
const PHRASES: &[(&str, Option<Kind>, &str)] = &[
    ("", Some(Kind::Greeting), "hi|hey|hello|helo|heya|hallo|yo"),
    ("", Some(Kind::Acknowledgement), "ok|okay|k|lol|haha|super|perfect|hm|hmm|wow"),
    ("", Some(Kind::Goodbye), "ciao|bye|bye bye|tschau|adieu"),
    ("", Some(Kind::Thanks), "thx"),
    (
        "en",
        Some(Kind::Greeting),
        "hiya|howdy|greetings|good morning|good afternoon|good evening|good day|morning|evening|how are you|how are you doing|\
         how are you today|how are you doing today|how's it going|how is it going|how do you do|what's up|whats up|sup|nice to meet you|\
         anyone there|anybody there|is anyone there|is anybody there|is anyone here|is somebody there|are you there|can you help me|\
         could you help me|can you help|i need help|i need some help|help me please|please help|please help me|help|\
         i have a question|i've got a question|i have some questions|i have a few questions|quick question|can i ask you something|\
         can i ask a question|can i ask you a question",
    ),
    (
        "en",
        Some(Kind::Acknowledgement),
        "alright|all right|right|great|cool|nice|awesome|good|good to know|got it|i see|understood|i understand|makes sense|\
         that makes sense|sounds good|that's good|that's great|that's all|that is all|that's fine|fine|no problem|no worries|\
         perfect that helps|sure|noted|very good|very helpful|good bot|well done|amazing|excellent|brilliant|never mind|nevermind|\
         i'm good|all good|nothing else|that's it|that will be all|that'll be all|okey|okey dokey",
    ),
    (
        "en",
        Some(Kind::Thanks),
        "thanks|thank you|thank u|thankyou|ty|tysm|thnx|thanx|thks|cheers|many thanks|much appreciated|i appreciate it|appreciate it|\
         appreciated|that helped|that helps|that was helpful|that's helpful|that is helpful|you helped me|you've been very helpful|\
         you've been helpful|you have been very helpful|you were very helpful|very kind|that's very kind|you're the best|you are the best",
    ),
    (
        "en",
        Some(Kind::Goodbye),
        "goodbye|good bye|good night|cya|see you|see ya|see you later|see you soon|talk to you later|ttyl|have a nice day|\
         have a good day|have a great day|have a good one|have a nice evening|have a good evening|have a nice weekend|take care|farewell|\
         later|i have to go|gotta go",
    ),
    (
        "en",
        Some(Kind::About),
        "are you a bot|are you a robot|are you a chatbot|are you a machine|are you a computer|are you a human|are you human|\
         are you a person|are you a real person|are you a real human|are you real|are you an ai|are you ai|are you a real agent|\
         are you an ai or a human|are you a bot or a human|are you a human or a bot|are you a robot or a human|are you a person or a bot|\
         are you an ai or a person|are you artificial intelligence|are you chatgpt|is this a bot|is this a chatbot|is this an ai|\
         is this a real person|is this a human|is this a person|is this ai|am i talking to a bot|am i talking to a robot|\
         am i talking to a human|am i talking to a real person|am i talking to a person|am i talking to an ai|am i talking to a machine|am i talking to an actual person|am i talking to a person or a bot|am i talking to a bot or a person|\
         am i talking with a real person|am i talking with a person|am i talking with a bot|am i talking with a human|\
         am i speaking with a real person|am i speaking to a real person|am i speaking with a person|am i speaking with a bot|\
         am i chatting with a bot|am i chatting with a human|am i chatting with a real person|am i speaking to a human|\
         am i speaking with a human|am i speaking to a bot|who are you|what are you|who is this|who am i talking to|\
         who am i speaking to|who am i chatting with|what's your name|what is your name|whats your name|do you have a name|\
         what can you do|what can you do for me|what do you do|what can you help me with|what can you help with|\
         what do you help with|what can you help|how can you help me|how can you help|how do you work|what do you know|\
         what can i ask you|what can i ask|what questions can i ask|what questions can you answer|what can you tell me|\
         what can you answer|what are you able to do|what are you for|who made you|who built you|tell me about yourself|\
         introduce yourself",
    ),
    (
        "en",
        None,
        "there|again|everyone|everybody|all|so|very|much|so much|very much|a lot|a bunch|a million|you|for your help|for the help|\
         for your time|for your answer|for the answer|for the info|for the information|for your quick help|for helping|for helping me|\
         for everything|for that|for now|please|team|sir|madam|mate|dear|friend|my friend|guys|folks|just|then|now|today|oh|well|and|\
         really|just wanted to say|i just wanted to say|assistant|bot|chatbot|to you|too|it|actually|by the way|btw",
    ),
    (
        "de",
        Some(Kind::Greeting),
        "guten tag|guten morgen|guten abend|moin|moin moin|servus|grüß gott|grüezi|tach|hallöchen|wie geht's|wie geht es dir|\
         wie geht es ihnen|wie geht's dir|ist da jemand|jemand da|können sie mir helfen|kannst du mir helfen|ich brauche hilfe|\
         ich habe eine frage|ich hätte eine frage|hilfe",
    ),
    (
        "de",
        Some(Kind::Acknowledgement),
        "alles klar|in ordnung|verstanden|verstehe|gut|sehr gut|prima|toll|klasse|passt|genau|perfekt|aha|achso|ach so|gut zu wissen|\
         das war's|das war alles|schön",
    ),
    (
        "de",
        Some(Kind::Thanks),
        "danke|danke schön|dankeschön|vielen dank|danke sehr|danke dir|danke ihnen|herzlichen dank|besten dank|lieben dank|\
         tausend dank|das hat geholfen|das hat mir geholfen|das hilft mir|das hilft|sehr nett|sehr hilfreich|merci vielmals",
    ),
    (
        "de",
        Some(Kind::Goodbye),
        "tschüss|tschüs|auf wiedersehen|bis bald|bis dann|bis später|gute nacht|schönen tag|schönen tag noch|einen schönen tag|\
         einen schönen tag noch|schönen abend|schönen abend noch|schönes wochenende|mach's gut",
    ),
    (
        "de",
        Some(Kind::About),
        "bist du ein bot|bist du ein roboter|bist du ein mensch|bist du eine ki|bist du echt|bist du ein chatbot|\
         bist du eine maschine|sind sie ein bot|sind sie ein mensch|sind sie ein roboter|sind sie eine ki|sind sie echt|\
         sind sie ein chatbot|sind sie eine maschine|sind sie eine echte person|bist du eine echte person|wer bist du|wer sind sie|\
         was bist du|was sind sie|was kannst du|was können sie|was kannst du alles|wobei kannst du mir helfen|wobei kannst du helfen|\
         wobei können sie helfen|wobei können sie mir helfen|wie kannst du mir helfen|wie können sie mir helfen|\
         was kannst du für mich tun|was können sie für mich tun|wie heißt du|wie heißen sie|ist das ein bot|ist das ein chatbot|\
         spreche ich mit einem menschen|spreche ich mit einem bot|rede ich mit einem menschen|rede ich mit einem bot",
    ),
    (
        "de",
        None,
        "zusammen|für die hilfe|für ihre hilfe|für deine hilfe|für die info|für die antwort|und|ihr|lieber|bitte|nochmal|dann|auch",
    ),
    (
        "fr",
        Some(Kind::Greeting),
        "bonjour|salut|bonsoir|coucou|bonne journée à vous|ça va|comment ça va|comment allez vous|il y a quelqu'un|pouvez vous m'aider|\
         peux tu m'aider|j'ai besoin d'aide|j'ai une question|aidez moi",
    ),
    (
        "fr",
        Some(Kind::Acknowledgement),
        "d'accord|compris|je comprends|je vois|très bien|bien|parfait|génial|c'est bon|c'est noté|entendu|ça marche|c'est tout|bien reçu",
    ),
    (
        "fr",
        Some(Kind::Thanks),
        "merci|merci beaucoup|merci bien|mille mercis|merci à vous|merci à toi|un grand merci|je vous remercie|c'est gentil|\
         ça m'a aidé|cela m'a aidé|ça m'aide",
    ),
    (
        "fr",
        Some(Kind::Goodbye),
        "au revoir|à bientôt|à plus|à plus tard|bonne journée|bonne soirée|bonne nuit|bon week end|bon weekend|à la prochaine",
    ),
    (
        "fr",
        Some(Kind::About),
        "êtes vous un robot|êtes vous un bot|êtes vous un humain|êtes vous humain|êtes vous une ia|êtes vous une vraie personne|\
         es tu un robot|es tu un bot|es tu un humain|es tu humain|es tu une ia|vous êtes un robot|vous êtes un humain|tu es un robot|\
         tu es un humain|qui êtes vous|qui es tu|que pouvez vous faire|que peux tu faire|que sais tu faire|que savez vous faire|\
         comment pouvez vous m'aider|comment peux tu m'aider|comment tu t'appelles|comment vous appelez vous|\
         est ce un robot|c'est un robot|est ce que je parle à un humain|est ce que vous êtes un robot|est ce que tu es un robot",
    ),
    (
        "fr",
        None,
        "à tous|à vous|pour votre aide|pour ton aide|pour l'aide|pour votre réponse|pour tout|beaucoup|et|s'il vous plaît|svp|alors|monsieur|madame",
    ),
    (
        "es",
        Some(Kind::Greeting),
        "hola|buenas|buenos días|buenas tardes|buenas noches|buen día|qué tal|que tal|cómo estás|como estas|cómo está|hay alguien|\
         hay alguien ahí|me puedes ayudar|me puede ayudar|puedes ayudarme|puede ayudarme|necesito ayuda|tengo una pregunta|\
         tengo una duda|ayuda",
    ),
    (
        "es",
        Some(Kind::Acknowledgement),
        "vale|de acuerdo|entendido|entiendo|muy bien|bien|perfecto|genial|claro|ya veo|eso es todo|está bien|listo|estupendo",
    ),
    (
        "es",
        Some(Kind::Thanks),
        "gracias|muchas gracias|mil gracias|muchísimas gracias|te lo agradezco|se lo agradezco|muy amable|me ayudó|me ha ayudado|\
         eso me ayuda",
    ),
    (
        "es",
        Some(Kind::Goodbye),
        "adiós|adios|hasta luego|hasta pronto|hasta mañana|nos vemos|que tengas un buen día|que tenga un buen día|buen fin de semana|chao",
    ),
    (
        "es",
        Some(Kind::About),
        "eres un bot|eres un robot|eres humano|eres un humano|eres una persona|eres una persona real|eres una ia|es usted un robot|\
         es usted humano|es usted una persona|es usted una persona real|es usted un bot|quién eres|quien eres|quién es usted|\
         qué eres|que eres|qué puedes hacer|que puedes hacer|qué puede hacer|qué sabes hacer|cómo puedes ayudarme|\
         como puedes ayudarme|cómo puede ayudarme|en qué me puedes ayudar|en qué puedes ayudarme|en qué puede ayudarme|\
         cómo te llamas|como te llamas|cuál es tu nombre|es esto un bot|hablo con un humano|estoy hablando con un robot|\
         estoy hablando con una persona|estoy hablando con un humano",
    ),
    (
        "es",
        None,
        "a todos|por su ayuda|por tu ayuda|por la ayuda|por la información|por todo|por favor|y|señor|señora|muy|pues|entonces",
    ),
    (
        "zh",
        Some(Kind::Greeting),
        "你好|您好|嗨|哈喽|哈啰|大家好|早上好|早安|上午好|中午好|下午好|晚上好|在吗|在么|有人吗|有人在吗|你好吗|您好吗|最近好吗|\
         请问一下|我有个问题|我有一个问题|我想问一下|能帮我吗|可以帮我吗|你能帮我吗|您能帮我吗|我需要帮助",
    ),
    (
        "zh",
        Some(Kind::Acknowledgement),
        "好的|好|好吧|行|可以|嗯|嗯嗯|哦|噢|明白|明白了|知道了|我知道了|了解|了解了|懂了|收到|没问题|没事|没事了|太好了|很好|不错|\
         厉害|哈哈|呵呵|没有了|没有其他问题",
    ),
    (
        "zh",
        Some(Kind::Thanks),
        "谢谢|谢谢你|谢谢您|谢谢啦|谢了|多谢|感谢|非常感谢|十分感谢|感谢你|感谢您|太感谢了|辛苦了|有帮助|很有帮助|帮到我了|帮了大忙",
    ),
    ("zh", Some(Kind::Goodbye), "再见|拜拜|拜|回头见|回见|下次见|晚安|祝你愉快|祝您愉快|祝你生活愉快|先这样"),
    (
        "zh",
        Some(Kind::About),
        "你是机器人吗|您是机器人吗|你是机器人|你是不是机器人|你是真人吗|您是真人吗|你是真人|你是人吗|你是人工智能吗|你是ai吗|\
         你是人还是机器人|你是真人还是机器人|你是谁|您是谁|你叫什么|你叫什么名字|您叫什么名字|你能做什么|你可以做什么|你会什么|你会做什么|\
         你能帮我什么|你能帮我做什么|你可以帮我什么|你可以帮我做什么|您能帮我什么|您能做什么|你有什么功能|你能回答什么问题|\
         我可以问什么|我可以问你什么|这是机器人吗|这是人工吗|介绍一下你自己",
    ),
    ("zh", None, "啊|呀|呢|了|吧|哈|啦|哟|的|你|您|客服|请问|非常|你的帮助|您的帮助|的帮助|亲|就这样|那|再次"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: impl Into<Option<(Kind, Option<&'static str>)>>) {
        let found = small_talk(message).map(|talk| (talk.kind, talk.language));
        assert_eq!(found, expected.into(), "{message}");
    }

    #[test]
    fn small_talk_is_told_by_every_word_of_a_message() {
        use Kind::{About, Acknowledgement, Goodbye, Greeting, Thanks};
        for (message, kind, language) in [
            ("Hi", Greeting, None),
            ("hello there!", Greeting, Some("en")),
            ("Hiiii", Greeting, None),
            ("How are you?", Greeting, Some("en")),
            ("hey, can you help me?", Greeting, Some("en")),
            ("Thanks, that helped!", Thanks, Some("en")),
            ("ok thanks a lot 🙏", Thanks, Some("en")),
            ("Thank you so much for your help!!", Thanks, Some("en")),
            ("ok", Acknowledgement, None),
            ("lol", Acknowledgement, None),
            ("👍", Acknowledgement, None),
            ("bye", Goodbye, None),
            ("Thanks, have a nice day", Goodbye, Some("en")),
            ("Are you a bot?", About, Some("en")),
            ("Hi, are you a real person?", About, Some("en")),
            ("What can you help me with?", About, Some("en")),
            ("Who are you?", About, Some("en")),
            ("Guten Tag!", Greeting, Some("de")),
            ("Vielen Dank, das hat geholfen", Thanks, Some("de")),
            ("Bist du ein Roboter?", About, Some("de")),
            ("Tschüss", Goodbye, Some("de")),
            ("Bonjour", Greeting, Some("fr")),
            ("Êtes-vous un robot ?", About, Some("fr")),
            ("Merci beaucoup et bonne journée", Goodbye, Some("fr")),
            ("¡Hola! ¿Qué tal?", Greeting, Some("es")),
            ("Muchas gracias", Thanks, Some("es")),
            ("¿Eres un robot?", About, Some("es")),
            ("你好", Greeting, Some("zh")),
            ("好的，谢谢！", Thanks, Some("zh")),
            ("你是机器人吗？", About, Some("zh")),
            ("再见", Goodbye, Some("zh")),
        ] {
            check(message, (kind, language));
        }
    }

    #[test]
    fn a_question_with_a_greeting_is_a_question() {
        for message in [
            "Hi, how much is the Tarn 2?",
            "Thanks! And what about shipping?",
            "ok, and the bigger one?",
            "What can you tell me about the Tarn 2?",
            "Are you a member of the association?",
            "Are you open on Sunday?",
            "What do you do with old tents?",
            "Good sleeping bag?",
            "Hello kitty backpack",
            "you",
            "please",
            "yes",
            "no",
            "and now?",
            "?",
            "...",
            "",
            "你好，帐篷多少钱？",
            "谢谢，可以退货吗",
            "Danke, und was kostet der Versand?",
            "Merci, et la livraison ?",
            "Hola, ¿cuánto cuesta?",
            "help with my order",
            "hitch",
        ] {
            check(message, None);
        }
        check(&"hi ".repeat(60), None);
    }
}
