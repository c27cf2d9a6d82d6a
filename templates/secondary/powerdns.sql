-- {{ what }} ({{ secondary.name | comment }}, {{ dialect.title }}): lzc {{ lzc }} made it by
-- "lzc export sql --backend {{ dialect.backend }}". Run it as often as you like: it changes what is otherwise than here, in one
-- transaction, and other zones stay as they are.
--
--   {{ usage }}
--
-- Where NSEC3 settings changed, order the names anew: pdnsutil rectify-zone ZONE. What a running server has in
-- its caches: pdns_control purge ZONE$.
{% for line in dialect.begin %}{{ line }}
{% endfor -%}
{% for statement in statements %}{{ statement }}
{% endfor -%}
COMMIT;
