//! One DNS message in, one out. Whatever comes in, nothing worse happens than no answer.

use hickory_proto::{
    op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{A, SOA},
    },
};

use crate::Names;

/// How long an address may be remembered, in seconds: hosts come and go.
const LIFETIME: u32 = 5;
/// How long it may be remembered that there is none.
const LIFETIME_OF_NOTHING: u32 = 1;
/// What fits into one datagram everywhere.
const PAYLOAD: u16 = 1_232;
/// The length of a message's head.
const HEAD: usize = 12;
/// The bit of the third byte that tells answers from questions.
const IS_ANSWER: u8 = 0x80;

/// The answer to a message, if it deserves one.
pub(super) fn answer(names: &Names, message: &[u8]) -> Option<Vec<u8>> {
    let reply = match Message::from_vec(message) {
        Ok(question) if question.metadata.message_type == MessageType::Response => return None,
        Ok(question) => reply(names, &question),
        Err(_) => unreadable(message)?,
    };
    reply.to_vec().ok()
}

/// What to say to something that only begins like a question.
fn unreadable(message: &[u8]) -> Option<Message> {
    let [first, second, flags, ..] = *message else { return None };
    let id = u16::from_be_bytes([first, second]);
    (message.len() >= HEAD && flags & IS_ANSWER == 0)
        .then(|| Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
}

fn reply(names: &Names, question: &Message) -> Message {
    let asked = &question.metadata;
    let mut reply = Message::response(asked.id, asked.op_code);
    reply.metadata = Metadata::response_from_request(asked);
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&question.queries);
    if let Some(theirs) = &question.edns {
        let mut ours = Edns::new();
        ours.set_max_payload(PAYLOAD);
        if theirs.version() > 0 {
            reply.edns = Some(ours);
            reply.metadata.response_code = ResponseCode::BADVERS;
            return reply;
        }
        reply.edns = Some(ours);
    }
    let code = match (asked.op_code, question.queries.as_slice()) {
        (OpCode::Query, [query]) => look_up(names, query, &mut reply),
        (OpCode::Query, _) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    reply.metadata.response_code = code;
    reply
}

fn look_up(names: &Names, query: &Query, reply: &mut Message) -> ResponseCode {
    if !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY) {
        return ResponseCode::Refused;
    }
    reply.metadata.authoritative = true;
    let address = names.resolve(&query.name().to_ascii());
    match (address, query.query_type()) {
        (Some(address), RecordType::A | RecordType::ANY) => {
            let found = RData::A(A(address));
            reply.add_answer(Record::from_rdata(query.name().clone(), LIFETIME, found));
            ResponseCode::NoError
        }
        (known, _) => {
            reply.add_authority(nothing());
            if known.is_some() { ResponseCode::NoError } else { ResponseCode::NXDomain }
        }
    }
}

/// Says for how long there is nothing.
fn nothing() -> Record {
    let soa = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, LIFETIME_OF_NOTHING);
    Record::from_rdata(Name::root(), LIFETIME_OF_NOTHING, RData::SOA(soa))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use pulldrill_clock::seed;
    use rand::Rng as _;

    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 25, 7, 9);

    fn names() -> Names {
        let names = Names::default();
        names.set("r.example", ADDRESS).unwrap();
        names
    }

    fn ask(name: &str, kind: RecordType) -> Message {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        question
    }

    fn say(question: &Message) -> Message {
        let reply = answer(&names(), &question.to_vec().unwrap()).unwrap();
        assert!(reply.len() <= 512, "{} bytes", reply.len());
        let reply = Message::from_vec(&reply).unwrap();
        assert_eq!(reply.metadata.id, question.metadata.id);
        reply
    }

    #[test]
    fn known_names_have_one_address_and_nothing_else() {
        let reply = say(&ask("R.Example.", RecordType::A));
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert_eq!(reply.answers.len(), 1);
        assert_eq!(reply.answers[0].data, RData::A(A(ADDRESS)));
        assert_eq!(reply.answers[0].name.to_ascii(), "R.Example.");
        for kind in [RecordType::AAAA, RecordType::MX, RecordType::HTTPS] {
            let reply = say(&ask("r.example.", kind));
            assert_eq!(reply.metadata.response_code, ResponseCode::NoError, "{kind}");
            assert!(reply.answers.is_empty());
            assert_eq!(reply.authorities[0].record_type(), RecordType::SOA);
        }
    }

    #[test]
    fn other_names_do_not_exist() {
        for name in ["example.", "x.r.example.", "docker.io.", ".", &format!("{}.", "a".repeat(63))] {
            let reply = say(&ask(name, RecordType::A));
            assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "{name}");
            assert!(reply.answers.is_empty());
            assert_eq!(reply.authorities[0].record_type(), RecordType::SOA);
        }
    }

    #[test]
    fn what_is_no_such_question_is_refused_or_passed_over() {
        let mut twice = ask("r.example.", RecordType::A);
        twice.add_query(twice.queries[0].clone());
        assert_eq!(say(&twice).metadata.response_code, ResponseCode::FormErr);
        let mut update = ask("r.example.", RecordType::A);
        update.metadata.op_code = OpCode::Notify;
        assert_eq!(say(&update).metadata.response_code, ResponseCode::NotImp);
        let mut chaos = ask("r.example.", RecordType::A);
        chaos.queries[0].query_class = DNSClass::CH;
        assert_eq!(say(&chaos).metadata.response_code, ResponseCode::Refused);
        let mut late = ask("r.example.", RecordType::A);
        late.edns = Some(Edns::new().set_version(1).clone());
        assert_eq!(u16::from(say(&late).metadata.response_code), u16::from(ResponseCode::BADVERS));
        let mut usual = ask("r.example.", RecordType::A);
        usual.edns = Some(Edns::new());
        let usual = say(&usual);
        assert!(usual.edns.is_some() && usual.answers.len() == 1);
        let reply = say(&ask("r.example.", RecordType::A)).to_vec().unwrap();
        assert_eq!(answer(&names(), &reply), None, "answers are not answered");
    }

    #[test]
    fn noise_is_survived() {
        let mut chance = seed::rng(7, "noise");
        let question = ask("r.example.", RecordType::A).to_vec().unwrap();
        for length in 0..question.len() {
            let _whatever = answer(&names(), &question[..length]);
        }
        for n in 0..20_000 {
            let mut message = if n % 2 == 0 { question.clone() } else { vec![0; n % 600] };
            let place = usize::try_from(chance.next_u32()).unwrap() % message.len().max(1);
            if n % 2 == 0 {
                message[place] ^= 1 << (n % 8);
            } else {
                chance.fill_bytes(&mut message);
            }
            let _whatever = answer(&names(), &message);
        }
        let reply = answer(&names(), &[&question[..HEAD], &[0xc0, 0x0c, 0, 1, 0, 1]].concat()).unwrap();
        let reply = Message::from_vec(&reply).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
    }
}
