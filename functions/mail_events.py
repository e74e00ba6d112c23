"""Record what became of a mail: Send, Delivery, Bounce and Complaint events of SES."""

from functions.station import station
from trading.month.notify import MailEvent, record_mail_event

handler = station(record_mail_event, MailEvent)
