// Made of docs/protocol/schema.json by `node web/build.mjs`.

export type Anything =
  | ClientMessage
  | Partial
  | Source
  | Attributes
  | AttributeValue
  | Rating
  | ServerMessage
  | Citation
  | Usage
  | AnswerEnd
  | Card
  | ErrorCode;
/**
 * What a client may send.
 */
export type ClientMessage =
  | {
      type: 'hello';
      site: string;
      /**
       * The token of an earlier `welcome`, or a JWT that the site signed.
       */
      token?: string | null;
      session?: string | null;
      /**
       * The highest `seq` the client has seen; 0 asks for everything.
       */
      last_seq?: number;
      /**
       * The answer that was being received when the connection broke, and how much of it
       * arrived.
       */
      partial?: Partial | null;
      /**
       * Where the visitor came from; counts in a new conversation.
       */
      source?: Source | null;
      /**
       * What the site knows of the visitor and the visitor agreed to have used.
       */
      attributes?: Attributes | null;
      /**
       * Language of the page that the chat is on, as its `lang` says ("de-AT"); what is too
       * short to tell is taken for it.
       */
      language?: string | null;
    }
  | {
      type: 'message';
      id: string;
      text: string;
    }
  | {
      type: 'typing';
      text?: string | null;
    }
  | {
      type: 'cancel';
      turn: number;
    }
  | {
      type: 'human';
    }
  | {
      type: 'feedback';
      turn: number;
      rating: Rating;
      text?: string | null;
    }
  | {
      type: 'recommendation.click';
      id: string;
    }
  | {
      type: 'end';
      session?: string | null;
    }
  | {
      type: 'forget';
      also?: string[];
    };
/**
 * Yes or no, a number, or a name of at most 200 characters.
 */
export type AttributeValue = boolean | number | string;
/**
 * A visitor's verdict on an answer.
 */
export type Rating = 'up' | 'down';
/**
 * What the server sends. What has a `seq` and stands in the conversation's log says when it was
 * stored: `at_ms`, in milliseconds since the epoch.
 */
export type ServerMessage =
  | {
      type: 'welcome';
      session: string;
      token: string;
      last_seq: number;
      /**
       * On sites where people answer: whether somebody who takes conversations is there.
       */
      available?: boolean | null;
    }
  | {
      type: 'ack';
      id: string;
      seq: number;
    }
  | {
      type: 'message';
      id: string;
      seq: number;
      at_ms?: number;
      text: string;
    }
  | {
      type: 'queue';
      turn: number;
      place: number;
    }
  | {
      type: 'thinking';
      turn: number;
    }
  | {
      type: 'answer.started';
      turn: number;
      seq: number;
      at_ms?: number;
    }
  | {
      type: 'answer.delta';
      turn: number;
      offset: number;
      text: string;
    }
  | {
      type: 'answer.citation';
      turn: number;
      citation: Citation;
    }
  | {
      type: 'answer.withheld';
      turn: number;
      reason: string;
    }
  | {
      type: 'answer.done';
      turn: number;
      seq: number;
      at_ms?: number;
      text: string;
      citations: Citation[];
      /**
       * How likely the answer is right, 0…1.
       */
      confidence: number;
      usage: Usage;
      end: AnswerEnd;
    }
  | {
      type: 'human.requested';
      seq: number;
      at_ms?: number;
    }
  | {
      type: 'handoff';
      seq: number;
      at_ms?: number;
    }
  | {
      type: 'human.queue';
      /**
       * Place in the line, from 1.
       */
      place: number;
      /**
       * Whether an agent who takes conversations is there now.
       */
      available: boolean;
      /**
       * How else a person can be reached.
       */
      contact?: string | null;
    }
  | {
      type: 'agent.joined';
      seq: number;
      at_ms?: number;
      name: string;
    }
  | {
      type: 'agent.left';
      seq: number;
      at_ms?: number;
      name: string;
      waiting: boolean;
    }
  | {
      type: 'agent.message';
      seq: number;
      at_ms?: number;
      id: string;
      text: string;
      name: string;
    }
  | {
      type: 'agent.typing';
      name: string;
    }
  | {
      type: 'feedback.received';
      seq: number;
      at_ms?: number;
      turn: number;
      rating: Rating;
    }
  | {
      type: 'recommendation';
      turn: number;
      products: Card[];
    }
  | {
      type: 'ended';
      seq: number;
      at_ms?: number;
      reason: string;
    }
  | {
      type: 'forgotten';
    }
  | {
      type: 'error';
      code: ErrorCode;
      message: string;
      /**
       * When trying again may help.
       */
      retry_after_ms?: number | null;
      /**
       * The client's message that was refused, if it was one.
       */
      id?: string | null;
    };
/**
 * Why an answer ended.
 */
export type AnswerEnd =
  | 'complete'
  | 'length'
  | 'declined'
  | 'clarified'
  | 'small_talk'
  | 'cancelled'
  | 'superseded'
  | 'taken_over'
  | 'failed';
/**
 * What went wrong, for programs; the message is for people.
 */
export type ErrorCode =
  | 'bad_message'
  | 'hello_expected'
  | 'too_large'
  | 'unauthorized'
  | 'code_required'
  | 'origin_refused'
  | 'unknown_site'
  | 'unknown_session'
  | 'session_ended'
  | 'unknown_turn'
  | 'unknown_agent'
  | 'not_found'
  | 'forbidden'
  | 'held'
  | 'conflict'
  | 'rate_limited'
  | 'overloaded'
  | 'too_slow'
  | 'draining'
  | 'storage_failed'
  | 'answer_failed';

/**
 * How much of a running answer a resuming client already has.
 */
export interface Partial {
  turn: number;
  /**
   * Unicode scalar values received.
   */
  offset: number;
}
/**
 * Where a visitor came from. Of the referrer only the host is kept.
 */
export interface Source {
  utm_source?: string | null;
  utm_medium?: string | null;
  utm_campaign?: string | null;
  utm_term?: string | null;
  utm_content?: string | null;
  /**
   * Address of the page that led here.
   */
  referrer?: string | null;
}
/**
 * What a site passes about a visitor (age, income, tier, cart value, …): at most 32 of them are
 * kept, and without consent nothing.
 */
export interface Attributes {
  /**
   * The visitor agreed that these are used.
   */
  consent?: boolean;
  values?: {
    [k: string]: AttributeValue;
  };
}
/**
 * Where a statement of an answer stands.
 */
export interface Citation {
  /**
   * Number within the answer, from 1.
   */
  n: number;
  /**
   * The document's id.
   */
  document: string;
  title: string;
  /**
   * Headings from the outermost to the innermost.
   */
  headings: string[];
  /**
   * The document's own words.
   */
  quote: string;
  url?: string | null;
  /**
   * Bytes of the document's extracted text where the cited passage stands.
   */
  start: number;
  end: number;
  /**
   * Nothing of the answer stands there: the document came close, and the visitor may mean it.
   */
  related?: boolean;
}
/**
 * What it cost.
 */
export interface Usage {
  /**
   * Tokens of the prompt.
   */
  prompt_tokens: number;
  /**
   * How many of them were already in the KV cache.
   */
  cached_tokens: number;
  completion_tokens: number;
}
/**
 * A product that fits the conversation. It is in stock.
 */
export interface Card {
  id: string;
  name: string;
  /**
   * The variants in stock, in words; the cheapest alone where they are many, empty where there
   * is only one.
   */
  variant: string;
  /**
   * Of the cheapest in stock.
   */
  price: number;
  /**
   * Of the dearest in stock, where it costs more.
   */
  price_to?: number | null;
  currency: string;
  url?: string | null;
  image?: string | null;
  /**
   * Why it is shown, for the visitor.
   */
  reason: string;
}
