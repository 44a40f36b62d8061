import json, pytest, o7s, time
pytest_plugins=["net_fixtures"]
import test_net_handshake as h
@pytest.mark.parametrize("seed",range(8))
def test_lossy(make_two,seed):
    two=h and make_two("udp4","encrypted",start=False,wire="relay",both=h.BAD) if False else None
def run(net,pki,kind,seed):
    from net import Two
    two=Two(net,kind,pki,"encrypted",wire="relay",both=h.BAD) if False else None
@pytest.mark.parametrize("seed",range(10))
@pytest.mark.parametrize("kind",["udp4","eth-llc"])
def test_s(net,pki,kind,seed):
    from net import Two
    orig=net.relay
    net.relay=lambda a,b,**e: orig(a,b,"--seed",seed+10,**e)
    two=Two(net,kind,pki,"encrypted",wire="relay",both=h.BAD).start()
    with two.capture() as cap:
        replies,accepted=h.allocate_many(two,30)
    bad=[r["r"] for r in replies if r["r"]<0]
    if bad: 
        print("SEED",kind,seed,bad)
        for x in (two.a,two.b):
            for l in (x.directory/"state"/"audit.jsonl").read_text().splitlines():
                l=json.loads(l)
                if l["event"]=="refused": print(x.number,l)
                if l["event"]=="refused": oid=l["oap_id"]
            for line in x.log().splitlines():
                if "refus" in line : print(line)
        ids=[p.control.id for p in cap.controls(kind,3) if bytes.fromhex(oid) in p.control.piece]
        print(set(map(hex,ids)))
        for p in cap.controls(kind):
            if p.control.id in ids: print(round(p.when%100,3),p.out,p.control.type,hex(p.control.id),p.control.index,p.control.count, p.control.piece[:1].hex())
