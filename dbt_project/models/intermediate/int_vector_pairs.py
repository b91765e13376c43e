"""Pairs of claims by their vectors: a matrix product, because 2,000 candidates beside 100,000 told claims are 2e8 cosines."""


def model(dbt, session):
    dbt.config(materialized="table")
    import asyncio

    from top5.nearness import nearest_pairs

    # The adapter opens an event loop in this thread for every Python model, and would leave it to the garbage collector.
    asyncio.get_event_loop().close()

    floor, keep = dbt.ref("int_nearness_limits").fetchone()
    claims = dbt.ref("int_claims").filter("vector_space is not null")
    columns = "day, insight_id, vector_space, embedding"

    def in_role(role):
        # Opened when it is its turn: a connection has one open result at a time.
        yield from claims.filter(f"role = '{role}'").project(columns).to_arrow_reader(4_096)

    candidates = claims.filter("role = 'candidate'").project(columns).to_arrow_table()
    return nearest_pairs(candidates, {role: in_role(role) for role in ("candidate", "heard", "told")}, floor=floor, keep=keep)
