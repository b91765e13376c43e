{{ config(materialized="table") }}

select day, purpose, usd, requests
from {{ ref("stg_spend") }}
