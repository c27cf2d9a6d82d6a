;if country({'US', 'CA'}) then return "192.0.2.10"
elseif continentCode() == [[EU]] then return "192.0.2.20"
else return "192.0.2.30" end