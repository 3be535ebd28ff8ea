//! The words by which orders to the machine are told, in English, German, French, Spanish and
//! Chinese, all in small letters. The four spaced languages share their lists: a word that orders
//! in one of them orders in a sentence of that one only.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word can be; a word can be several.
pub(super) type Kinds = u32;

/// What answers visitors.
pub(super) const MACHINE: Kinds = 1;
/// What answers visitors, where it stands in capitals: "AI", but not the French "ai".
pub(super) const MACHINE_LETTERS: Kinds = 1 << 1;
/// Belongs to the machine's name where it stands behind it: "AI agents".
pub(super) const MACHINE_TAIL: Kinds = 1 << 2;
/// Makes a person, or something of the reader's own, of the machine behind it: "a shop assistant",
/// "your chatbot".
pub(super) const NOT_MACHINE_BEFORE: Kinds = 1 << 3;
/// Makes a person of the machine before it: "an AI researcher".
pub(super) const NOT_MACHINE_AFTER: Kinds = 1 << 4;
/// Obligation.
pub(super) const MODAL: Kinds = 1 << 5;
/// Makes an order of what follows.
pub(super) const STRONG: Kinds = 1 << 6;
/// May stand between the beginning of an order and its verb.
pub(super) const FILLER: Kinds = 1 << 7;
/// What a machine is ordered to do.
pub(super) const ACT: Kinds = 1 << 8;
/// Says something, before "that".
pub(super) const CLAIM: Kinds = 1 << 9;
pub(super) const THAT: Kinds = 1 << 10;
/// Answers.
pub(super) const REPLY: Kinds = 1 << 11;
/// An answer: in a language of possessives, or as "every reply".
pub(super) const ANSWER: Kinds = 1 << 12;
/// Whose answer: the machine's.
pub(super) const WHOSE: Kinds = 1 << 13;
/// A piece of text by its name, and one that a page for readers hardly names.
pub(super) const TEXT: Kinds = 1 << 14;
pub(super) const SENTENCE: Kinds = 1 << 15;
/// What readers are asked to reply for: to unsubscribe.
pub(super) const FOR_READERS: Kinds = 1 << 16;
/// Tells or asks somebody something.
pub(super) const TELL: Kinds = 1 << 17;
/// Sends somebody somewhere.
pub(super) const SEND: Kinds = 1 << 18;
/// Whom a chat's machine serves; guidelines for people in customer service say "customer" instead.
pub(super) const VISITOR: Kinds = 1 << 19;
pub(super) const CUSTOMER: Kinds = 1 << 20;
/// May stand between a verb and whom it is about.
pub(super) const ARTICLE: Kinds = 1 << 21;
/// What a visitor would be glad to hear.
pub(super) const PROMISE: Kinds = 1 << 22;
/// A remark for somebody.
pub(super) const NOTE: Kinds = 1 << 23;
/// Stands between a remark and whom it is for.
pub(super) const FOR: Kinds = 1 << 24;
pub(super) const GREETING: Kinds = 1 << 25;
/// A machine's way with documents.
pub(super) const READS: Kinds = 1 << 26;
pub(super) const THIS: Kinds = 1 << 27;
/// Does away with what was said before.
pub(super) const FORGET: Kinds = 1 << 28;
/// What the machine was told.
pub(super) const TOLD: Kinds = 1 << 29;
/// Which of it: that from before.
pub(super) const EARLIER: Kinds = 1 << 30;
/// Begins one of [`PHRASES`].
pub(super) const BEGINS: Kinds = 1 << 31;

/// What a word is.
pub(super) fn kinds(word: &str) -> Kinds {
    static KINDS: LazyLock<HashMap<&str, Kinds>> = LazyLock::new(|| {
        let mut kinds: HashMap<&str, Kinds> = HashMap::new();
        let words = WORDS
            .iter()
            .flat_map(|(kind, words)| words.split_whitespace().map(|word| (word, *kind)));
        let begins =
            PHRASES.iter().filter_map(|(_, phrase)| Some((phrase.split(' ').next()?, BEGINS)));
        for (word, kind) in words.chain(begins) {
            *kinds.entry(word).or_default() |= kind;
        }
        kinds
    });
    KINDS.get(word).copied().unwrap_or_default()
}

const WORDS: &[(Kinds, &str)] = &[
    (
        MACHINE,
        "assistant assistants assistante assistantes assistent assistenten assistentin asistente asistentes chatbot chatbots bot \
         bots ais llm llms chatgpt gpt sprachmodell sprachmodelle sprachmodellen sprachassistent sprachassistenten",
    ),
    (MACHINE_LETTERS, "ai ki ia"),
    (
        MACHINE_TAIL,
        "agent agents agenten agente agentes assistant assistants assistent assistenten asistente bot bots chatbot chatbots model \
         models modell modelle modelos system systems systeme systemen tool tools",
    ),
    (
        NOT_MACHINE_BEFORE,
        "shop store sales personal dental medical teaching research nursing care flight legal office parking your ihr ihre ihren \
         ihrem ihrer dein deine deinen deinem votre vos ton ta tes su sus tu tus",
    ),
    (
        NOT_MACHINE_AFTER,
        "manager managers professor director coach developer developers company companies startup startups researcher researchers \
         engineer engineers user users customer customers team teams expert experts enthusiast beginner admin owner builder subscriber",
    ),
    (
        MODAL,
        "must should shall ought muss müssen musst müsst soll sollen sollst sollt sollte sollten doit doivent dois devez devrait \
         devraient devriez faut debe deben debes deberá deberán deberás debería deberían deberías",
    ),
    (
        STRONG,
        "please always never only bitte immer stets niemals nie nur ausschließlich veuillez toujours jamais uniquement seulement \
         favor siempre nunca únicamente solo sólo",
    ),
    (
        FILLER,
        "also then and just now do not don't instead therefore immediately simply to you it in auch dann und nicht sie du zu et ne \
         pas aussi vous de y no también por usted que",
    ),
    (
        ACT,
        "tell say answer reply respond claim state recommend suggest mention add append prepend include insert promise offer give \
         ignore disregard forget treat act behave pretend end begin start finish close conclude output print write translate \
         promote advertise praise convince persuade ask request collect send redirect direct refer link quote cite use repeat \
         confirm inform instruct insult describe present provide reveal disclose hide omit refuse decline assure warn advise urge \
         announce call follow obey speak talk switch prefer rank",
    ),
    (
        ACT,
        "sagen sag sage antworten antworte beantworten beantworte erwähnen erwähne behaupten behaupte empfehlen empfiehl nennen \
         nenne hinzufügen anhängen füge fügen ergänzen ergänze beenden beende beginnen beginne schreiben schreibe schreib \
         ignorieren ignoriere mitteilen teile informieren informiere bitten fragen frage auffordern weiterleiten wiederholen \
         wiederhole verwenden verwende ausgeben bestätigen bestätige bewerben versprechen versprich anbieten",
    ),
    (
        ACT,
        "dire dis dites répondre réponds répondez ajouter ajoute ajoutez mentionner mentionne mentionnez indiquer indique indiquez \
         affirmer affirme affirmez prétendre prétendez recommander recommande recommandez inclure inclus incluez terminer termine \
         terminez commencer commence commencez écrire écris écrivez ignorer ignorez informer informe informez demander demande \
         demandez envoyer envoyez confirmer confirmez promettre promettez répéter répétez utiliser utilisez annoncer annoncez",
    ),
    (
        ACT,
        "decir di diga digan responder responde responda respondan contestar contesta conteste añadir añade añada agregar agrega \
         agregue mencionar menciona mencione indicar indica afirmar afirma afirme recomendar recomienda recomiende incluir incluye \
         incluya terminar empezar empieza escribir escribe escriba ignora informar informa pedir pide pida enviar confirmar \
         confirma confirme prometer repetir repite repita usar ofrecer finge",
    ),
    (
        CLAIM,
        "say claim insist pretend assert deny sag sage behaupte behaupten dis dites affirme affirmez prétends prétendez di diga \
         afirma afirme",
    ),
    (THAT, "that dass que"),
    (
        REPLY,
        "reply respond answer output antworte antworten réponds répondez répondre responde responda responder conteste contesta \
         contestar",
    ),
    (
        ANSWER,
        "reply replies answer answers response responses antwort antworten réponse réponses respuesta respuestas",
    ),
    (
        WHOSE,
        "every each all any deine deiner deinen ihre ihrer ihren ta tes votre vos tu tus su sus jede jeder alle allen chaque toutes \
         cada todas",
    ),
    (
        TEXT,
        "word words sentence sentences phrase text wort worten satz mot mots phrases texte palabra palabras frase frases texto",
    ),
    (SENTENCE, "sentence sentences phrase satz frase"),
    (
        FOR_READERS,
        "unsubscribe opt stop cancel confirm abbestellen abmelden bestätigen désabonner confirmer confirmar",
    ),
    (
        TELL,
        "tell inform ask instruct convince persuade advise urge assure remind request sag sage sagen teile teilen informiere \
         informieren bitte bitten fordere fordern frag frage fragen überzeuge überzeugen rate raten empfiehl empfehlen dis dites \
         informez demande demandez indiquez prévenez invitez priez conseillez convainquez recommandez di dile diles diga dígale \
         dígales informa informe pide pida pídele pídeles pídale pídales solicita solicite indica indique recomienda recomiende \
         convence convenza dire demander informer indiquer conseiller recommander decir pedir informar solicitar recomendar",
    ),
    (
        SEND,
        "send direct redirect refer link point forward encourage invite get schick schicke schicken verweise verweisen leite leiten \
         envoie envoyez redirigez renvoyez orientez envía envíe redirige redirija remite remita envoyer rediriger enviar redirigir",
    ),
    (
        VISITOR,
        "visitor visitors user users besucher besuchern besucherin nutzer nutzern nutzerin benutzer benutzern benutzerin visiteur \
         visiteurs visiteuse utilisateur utilisateurs utilisatrice visitante visitantes usuario usuarios usuaria",
    ),
    (
        CUSTOMER,
        "customer customers client clients cliente clientes shopper shoppers buyer buyers guest guests kunde kunden kundin \
         kundinnen käufer acheteur acheteurs comprador compradores",
    ),
    (
        ARTICLE,
        "the our all any every each a of please also always sie bitte dem den der die das allen alle jedem jeden immer à au aux le \
         la les tous toujours chaque al los las el todos cada siempre",
    ),
    (
        PROMISE,
        "free discount refund refunded voucher code coupon kostenlos gratis rabatt gutschein gratuit gratuite remise remboursement \
         descuento cupón reembolso",
    ),
    (
        NOTE,
        "note notes message instruction instructions notice reminder attention warning hint memo information directive directives \
         order orders command commands rule rules guideline guidelines hinweis hinweise anweisung anweisungen nachricht achtung \
         anmerkung remarque consigne consignes avis nota instrucción instrucciones mensaje aviso atención",
    ),
    (
        FOR,
        "to for an für à au aux pour para al a the all any every our this den die das alle le la les tout tous el los todos dear",
    ),
    (
        GREETING,
        "dear hey hello attention liebe lieber achtung cher chère chers querido querida estimado estimada atención hola",
    ),
    (
        READS,
        "reading reads read processing process parsing parse summarizing summarising seeing see answering indexing crawling scanning \
         ingesting retrieving lesen liest verarbeiten lisant lisent lit leen lean lea lee leyendo",
    ),
    (THIS, "this these dies diese diesen dieses ceci ce cette cet esto este esta"),
    (
        FORGET,
        "ignore disregard forget override bypass discard ignoriere ignorieren vergiss missachte ignorez oublie oubliez ignora \
         olvida olvide olviden",
    ),
    (
        TOLD,
        "instruction instructions prompt prompts directives guidelines rules anweisung anweisungen instruktionen vorgaben regeln \
         consignes directive règles instrucciones reglas indicaciones",
    ),
    (
        EARLIER,
        "previous prior your earlier above preceding foregoing all any system everything vorherigen vorherige bisherigen früheren \
         obigen alle deine ihre précédentes précédente toutes tes vos anteriores todas tus sus",
    ),
];

/// What several words in a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    Machine,
    Modal,
    /// The act of answering.
    Answering,
    /// The act of answering something other than a question.
    OtherAnswering,
    /// "You are", before a machine's name.
    YouAre,
    /// A document for readers has no use for it.
    Never,
}

pub(super) const PHRASES: &[(Phrase, &str)] = &[
    (Phrase::Machine, "language model"),
    (Phrase::Machine, "language models"),
    (Phrase::Machine, "artificial intelligence"),
    (Phrase::Machine, "virtual agent"),
    (Phrase::Machine, "virtual agents"),
    (Phrase::Machine, "künstliche intelligenz"),
    (Phrase::Machine, "künstlichen intelligenz"),
    (Phrase::Machine, "intelligence artificielle"),
    (Phrase::Machine, "modèle de langage"),
    (Phrase::Machine, "modèles de langage"),
    (Phrase::Machine, "agent conversationnel"),
    (Phrase::Machine, "agents conversationnels"),
    (Phrase::Machine, "inteligencia artificial"),
    (Phrase::Machine, "modelo de lenguaje"),
    (Phrase::Machine, "modelos de lenguaje"),
    (Phrase::Machine, "agente virtual"),
    (Phrase::Machine, "agentes virtuales"),
    (Phrase::Modal, "have to"),
    (Phrase::Modal, "has to"),
    (Phrase::Modal, "need to"),
    (Phrase::Modal, "needs to"),
    (Phrase::Modal, "required to"),
    (Phrase::Modal, "instructed to"),
    (Phrase::Modal, "expected to"),
    (Phrase::Modal, "supposed to"),
    (Phrase::Modal, "tiene que"),
    (Phrase::Modal, "tienen que"),
    (Phrase::Modal, "tienes que"),
    (Phrase::Modal, "hay que"),
    (Phrase::Answering, "when answering"),
    (Phrase::Answering, "when replying"),
    (Phrase::Answering, "when responding"),
    (Phrase::Answering, "whenever answering"),
    (Phrase::Answering, "while answering"),
    (Phrase::Answering, "before answering"),
    (Phrase::Answering, "when you answer"),
    (Phrase::Answering, "when you reply"),
    (Phrase::Answering, "when you respond"),
    (Phrase::Answering, "whenever you answer"),
    (Phrase::Answering, "whenever you reply"),
    (Phrase::Answering, "whenever you respond"),
    (Phrase::Answering, "if you answer"),
    (Phrase::Answering, "beim antworten"),
    (Phrase::Answering, "beim beantworten"),
    (Phrase::Answering, "bei der beantwortung"),
    (Phrase::Answering, "wenn du antwortest"),
    (Phrase::Answering, "wenn sie antworten"),
    (Phrase::Answering, "lorsque vous répondez"),
    (Phrase::Answering, "quand vous répondez"),
    (Phrase::Answering, "lorsque tu réponds"),
    (Phrase::Answering, "quand tu réponds"),
    (Phrase::Answering, "en répondant"),
    (Phrase::Answering, "al responder"),
    (Phrase::Answering, "al contestar"),
    (Phrase::Answering, "cuando respondas"),
    (Phrase::Answering, "cuando responda"),
    (Phrase::Answering, "cuando contestes"),
    (Phrase::Answering, "cuando conteste"),
    (Phrase::OtherAnswering, "answering the phone"),
    (Phrase::OtherAnswering, "answering the door"),
    (Phrase::OtherAnswering, "answering a call"),
    (Phrase::OtherAnswering, "answering calls"),
    (Phrase::OtherAnswering, "answer the phone"),
    (Phrase::OtherAnswering, "answer the door"),
    (Phrase::OtherAnswering, "answer a call"),
    (Phrase::YouAre, "you are"),
    (Phrase::YouAre, "you're"),
    (Phrase::YouAre, "wenn du"),
    (Phrase::YouAre, "falls du"),
    (Phrase::YouAre, "du bist"),
    (Phrase::YouAre, "wenn sie"),
    (Phrase::YouAre, "falls sie"),
    (Phrase::YouAre, "sie sind"),
    (Phrase::YouAre, "tu es"),
    (Phrase::YouAre, "vous êtes"),
    (Phrase::YouAre, "si eres"),
    (Phrase::YouAre, "eres"),
    (Phrase::YouAre, "usted es"),
    (Phrase::Never, "your system prompt"),
    (Phrase::Never, "reveal your prompt"),
    (Phrase::Never, "pretend to be"),
    (Phrase::Never, "pretend you are"),
    (Phrase::Never, "must say so"),
    (Phrase::Never, "always say so"),
    (Phrase::Never, "have to say so"),
];

/// Chinese has no words to take apart: what stands in a sentence, and in which order, is looked at
/// instead.
pub(super) mod zh {
    pub(crate) const MACHINES: &[&str] = &[
        "助手",
        "人工智能",
        "智能客服",
        "机器人",
        "语言模型",
        "大模型",
        "ai",
        "客服系统",
        "智能体",
    ];
    /// Calls the machine.
    pub(crate) const CALLS: &[&str] = &[
        "助手请注意",
        "机器人请注意",
        "模型请注意",
        "智能体请注意",
        "ai请注意",
        "致所有ai",
        "致ai",
    ];
    pub(crate) const MODALS: &[&str] = &[
        "必须",
        "应该",
        "应当",
        "务必",
        "请",
        "不要",
        "不得",
        "不许",
        "只能",
        "总是",
        "始终",
        "一定要",
        "都要",
        "需要",
        "须",
    ];
    pub(crate) const ACTS: &[&str] = &[
        "告诉", "告知", "回答", "回复", "答复", "说", "声称", "推荐", "加上", "添加", "加入",
        "提到", "忽略", "输出", "要求", "宣布", "承诺", "结尾", "结束", "遵守", "服从",
    ];
    pub(crate) const YOU_ARE: &[&str] = &[
        "如果你是",
        "如果您是",
        "若你是",
        "假如你是",
        "你是一个",
        "你是一名",
        "你现在是",
        "作为一个",
        "作为一名",
    ];
    /// The reader uses the machine: "您可以请助手……".
    pub(crate) const READERS: &[&str] = &[
        "您可以",
        "你可以",
        "可以请",
        "可以让",
        "可以向",
        "您的",
        "你的",
        "如何",
        "怎么",
        "为您",
        "为你",
    ];
    pub(crate) const FORGETTING: &[&str] =
        &["忽略", "无视", "忘记", "忘掉", "不要理会", "不理会", "不用管"];
    pub(crate) const TOLD: &[&str] =
        &["指令", "指示", "提示词", "规则", "命令", "设定", "以上", "之前的"];
    pub(crate) const ANSWERING: &[&str] = &[
        "回答时",
        "回复时",
        "答复时",
        "回答问题时",
        "回复消息时",
        "在你的回答",
        "在你的回复",
        "在您的回答中",
        "在您的回复中",
        "每次回答",
        "每次回复",
        "每条回复",
        "每个回答",
        "每个回复",
        "只回答",
        "只回复",
        "只输出",
        "回答的末尾",
        "回复的末尾",
        "回答末尾",
        "回复末尾",
    ];
    pub(crate) const ALWAYS: &[&str] = &["系统提示词", "在你的回答中", "在你的回复中"];
    pub(crate) const TELLING: &[&str] =
        &["告诉", "告知", "通知", "要求", "说服", "引导", "劝", "建议"];
    pub(crate) const VISITORS: &[&str] = &["访客", "用户", "使用者"];
    pub(crate) const CUSTOMERS: &[&str] = &["顾客", "客户", "客人", "消费者", "买家"];
    pub(crate) const PROMISES: &[&str] = &["免费", "折扣", "优惠码", "卡号", "密码", "验证码"];
}
