{{ config(materialized="table") }}

select day, recipient_key, channel, revision, state, reason, changed_at
from {{ ref("stg_deliveries") }}
