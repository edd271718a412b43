"""Demonstrates all operations on users and user tokens, with both versions of the API.

Reads the API key from ARGYLE_KEY_ID and ARGYLE_KEY_SECRET, and the server from ARGYLE_BASE_URL, by default Argyle's
sandbox environment. Deletes the users that it creates.
"""

from __future__ import annotations

import os
import sys
from datetime import date

import argyle


def heading(text: str) -> None:
    """Print the heading of a step."""
    print(f"\n{text}")


def make_client() -> argyle.Client:
    """Create a client from environment variables."""
    try:
        key_id, key_secret = os.environ["ARGYLE_KEY_ID"], os.environ["ARGYLE_KEY_SECRET"]
    except KeyError:
        sys.exit("users.py: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key")
    base_url = os.environ.get("ARGYLE_BASE_URL")
    if base_url:
        return argyle.Client(key_id, key_secret, base_url=base_url)
    return argyle.Client(key_id, key_secret, environment="sandbox")


def show_operations(client: argyle.Client, ids: list[str]) -> None:
    """Run each operation; ``ids`` receives the ids of users that remain to be deleted."""
    heading("Create a user with metadata, and two more without: client.users.create")
    for number in range(3):
        created = client.users.create(external_metadata={"group": "A"}) if number == 0 else client.users.create()
        ids.append(created.id)
        print(f"  id           {created.id}, and a token until {created.expires_at}")
    first = ids[0]

    heading("Retrieve the first: client.users.get")
    user = client.users.get(first)
    print(f"  created_at   {user.created_at}")
    print(f"  metadata     {user.external_metadata}")

    heading("Replace its metadata: client.users.update")
    user = client.users.update(first, external_metadata={"group": "B", "tags": ["vip", "early"], "active": True})
    print(f"  metadata     {user.external_metadata}")

    heading("List the two oldest: client.users.list")
    page = client.users.list(limit=2, ordering="created_at")
    for user in page:
        print(f"  user         {user.id}")
    print(f"  of           {page.count}")

    heading("Iterate over all users, page by page: for user in client.users")
    has_metadata = [bool(user.external_metadata) for user in client.users]
    print(f"  {len(has_metadata)} users, {sum(has_metadata)} with metadata")

    heading("Create a token for the first: client.user_tokens.create")
    token = client.user_tokens.create(first)
    print(f"  access       {len(token.access)} characters, kept secret")
    print(f"  user_id      {token.claims['user_id']}")
    print(f"  expires      {token.expires_at}")

    heading("Delete the first and try to retrieve it: client.users.delete")
    client.users.delete(ids.pop(0))
    print(f"  deleted      {first}")
    try:
        client.users.get(first)
    except argyle.NotFoundError as error:
        print(f"  {error.code}    {error}")
    else:
        raise RuntimeError("the deleted user still exists")


def show_version_2(client: argyle.Client, ids: list[str]) -> None:
    """Run the operations with the fields that version 2 of the API adds; ``ids`` as in ``show_operations``."""
    heading("Create a user with version 2 of the API: client.with_options(api_version=2)")
    client = client.with_options(api_version=2)
    # The service does not require external ids to be unique: this one is.
    external_id = f"example-{ids[0]}"
    created = client.users.create(
        external_id=external_id, first_name="Ada", last_name="Byron", birth_date=date(1985, 12, 10)
    )
    ids.append(created.id)
    print(f"  id           {created.id}, and a token until {created.expires_at}")

    heading("Find it by its external id: client.users.iterate")
    for user in client.users.iterate(external_id=external_id):
        print(f"  user         {user.id}")
        print(f"  name         {user.first_name} {user.last_name}, born on {user.birth_date}")

    heading("Replace the last name, and clear the date of birth: client.users.update")
    user = client.users.update(created.id, last_name="Lovelace", birth_date=None)
    print(f"  name         {user.first_name} {user.last_name}, born on {user.birth_date}")

    heading("Delete it: client.users.delete")
    client.users.delete(ids.pop())
    print(f"  deleted      {created.id}")


def main() -> None:
    """Run the example, and delete the created users even after a failure."""
    print(f"argyle {argyle.__version__}")
    ids: list[str] = []
    try:
        with make_client() as client:
            try:
                show_operations(client, ids)
                show_version_2(client, ids)
            finally:
                heading("Clean up")
                for user_id in ids:
                    client.users.delete(user_id)
                    print(f"  deleted      {user_id}")
    except argyle.Error as error:
        sys.exit(f"users.py: {error}")


if __name__ == "__main__":
    main()
