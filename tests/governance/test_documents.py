"""Cards, rules and roles: what is wrong in a file is said with its place."""

from __future__ import annotations

import stat

import pytest

from research.errors import InputError, ProjectError, RefusedError
from research.governance import inventory, roles, rules, signatures


def test_the_committed_cards_rules_and_roles_are_sound(world):
    realm = world.office.realm
    assert inventory.names(realm.inventory)
    for name in inventory.names(realm.inventory):
        card = inventory.load_card(realm.inventory, name)
        assert card.notebook.startswith("notebooks/")
    pack = rules.load_rules(realm.rules).packs[-1]
    assert pack.tiers[1].approve.quorum == 2
    assert pack.is_shared("src/research/errors.py") and not pack.is_shared("src/research/models/heston.py")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tier": 9}, r"tier in heston_dax\.yaml must be 1, 2 or 3; got 9"),
        ({"ownr": "x"}, r"ownr in heston_dax\.yaml must be a known name; got 'ownr'\. Did you mean 'owner'\?"),
        ({"owner": None}, r"owner in heston_dax\.yaml must be a valid string; got None"),
        ({"notebook": "/etc/x.ipynb"}, r"notebook in heston_dax\.yaml must be notebooks by their path in the project"),
        ({"name": "other"}, r"name in heston_dax\.yaml must be 'heston_dax', the name of the file; got 'other'"),
        ({"next_review": "soon"}, r"next_review in heston_dax\.yaml must be a valid date"),
    ],
)
def test_a_wrong_card_is_refused_with_its_place(world, change, message):
    world.edit("governance/inventory/heston_dax.yaml", lambda card: card.update(change))
    with pytest.raises(InputError, match=message):
        inventory.load_card(world.office.realm.inventory, "heston_dax")


def test_a_missing_part_of_a_card_is_named(world):
    world.edit("governance/inventory/heston_dax.yaml", lambda card: card.pop("limitations"))
    with pytest.raises(InputError, match=r"limitations must be given in heston_dax\.yaml"):
        inventory.load_card(world.office.realm.inventory, "heston_dax")


def test_a_file_that_is_no_yaml_is_named_with_the_line(world):
    file = world.root / "governance" / "roles.yaml"
    file.write_text("people:\n  - name: [\n")
    with pytest.raises(ProjectError, match=r"roles\.yaml must be YAML; got .* line \d"):
        roles.load_people(file)
    file.unlink()
    with pytest.raises(ProjectError, match=r"governance file must exist; got no governance/roles\.yaml"):
        roles.load_people(file)


def test_two_people_cannot_share_a_key(world):
    def share(content):
        content["people"][1]["keys"] = content["people"][0]["keys"]

    world.edit("governance/roles.yaml", share)
    with pytest.raises(InputError, match="keys of people must be unique"):
        roles.load_people(world.root / "governance" / "roles.yaml")


def test_a_second_pack_must_follow_the_first(world):
    first = world.root / "governance" / "rules" / "base-1.yaml"
    (first.parent / "base-2.yaml").write_text(first.read_text())
    with pytest.raises(ProjectError, match="rule packs must follow each other in version and since"):
        rules.load_rules(first.parent)


def test_each_pack_judges_its_own_time(world):
    first = world.root / "governance" / "rules" / "base-1.yaml"
    later = first.read_text().replace("version: 1", "version: 2").replace("since: 2026", "since: 2099")
    (first.parent / "base-2.yaml").write_text(later)
    world.promoted()
    assert world.office.register().problems == ()
    assert world.office.register().versions[0].pack == rules.load_rules(first.parent).packs[0].digest


def test_a_private_key_is_for_its_owner_only(tmp_path):
    path, _ = signatures.generate_key("ada", tmp_path / "keys")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(
        RefusedError, match=r"key ada\.pem must be readable by its owner only; got mode 644\. chmod 600"
    ):
        signatures.read_key(path)


def test_a_private_key_is_not_written_where_git_would_take_it(world):
    with pytest.raises(RefusedError, match="key folder must lie outside every git working tree"):
        signatures.generate_key("ada", world.root / "keys")
    assert not (world.root / "keys").exists()
    signatures.generate_key("ada", world.root / "mlruns" / "keys")  # ignored by git


def test_a_key_is_never_overwritten(tmp_path):
    signatures.generate_key("ada", tmp_path)
    with pytest.raises(RefusedError, match="key file must not exist yet"):
        signatures.generate_key("ada", tmp_path)


def test_what_is_no_key_is_refused(tmp_path):
    file = tmp_path / "x.pem"
    with pytest.raises(InputError, match="key must be a private key file"):
        signatures.read_key(file)
    file.write_text("hello")
    file.chmod(0o600)
    with pytest.raises(InputError, match="key must be an unencrypted PEM private key"):
        signatures.read_key(file)
    with pytest.raises(
        InputError, match="public key must look like ed25519: and 64 hexadecimal digits; got 'ed25519:12'"
    ):
        signatures.public_key("ed25519:12")
